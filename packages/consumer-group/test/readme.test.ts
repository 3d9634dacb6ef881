import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Broker } from '@millrace/broker'
import { expect, test } from 'vitest'

test('the example in the README runs and prints what it should', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  const example = /```ts\n([\s\S]*?)```/.exec(readme)![1]!
  await using broker = await Broker.start({ port: 0 })
  const script = example.replaceAll('localhost:9092', broker.bootstrapServers)
  expect(script).not.toBe(example)
  const args = ['--conditions=@millrace/source', '--input-type=module-typescript', '-e', script]
  const child = spawn(process.execPath, args, { cwd: fileURLToPath(new URL('..', import.meta.url)) })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect([code, output]).toEqual([0, 'orders 0 0 one\norders 0 1 two\nthree\n'])
})
