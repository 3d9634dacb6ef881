import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test.each([
  ['the package', '../README.md', /^o-1 placed at offset 0\no-1 paid at offset 1\n$/],
  ['the repository', '../../../README.md', /^o-1 is at 0:0\no-1 is paid\n$/],
])('the example in the README of %s runs and prints what it should', async (_, path, expected) => {
  const readme = await readFile(new URL(path, import.meta.url), 'utf8')
  const example = /```ts\n([\s\S]*?)```/.exec(readme)![1]!
  const args = ['--conditions=@millrace/source', '--input-type=module-typescript', '-e', example]
  // In the examples' folder, where `millrace` is a dependency.
  const child = spawn(process.execPath, args, { cwd: fileURLToPath(new URL('../../../examples', import.meta.url)) })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect(output).toMatch(expected)
  expect(code).toBe(0)
})
