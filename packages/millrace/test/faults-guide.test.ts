import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const GUIDE = await readFile(new URL('../../../docs/testing-with-faults.md', import.meta.url), 'utf8')

/** The examples by the heading that each stands under. */
const EXAMPLES = new Map(
  [...GUIDE.matchAll(/^## (.+)\n[\s\S]*?```ts\n([\s\S]*?)```/gm)].map(([, heading, code]) => [heading!, code!]),
)

const PRINTS: [string, RegExp][] = [
  ['A reply that is lost', /^hit 1 time; the order is at 0, and the partition ends at 1\n$/],
  ['A deadline that passes', /^gave up with DeliveryTimeoutError\n$/],
  ['A script of failures', /^written once, at 0, after 5 attempts and 4 faults\n$/],
  ['A consumer whose commit fails', /^first a,b, then b,c\n$/],
  ['A client that is told to be quiet', /^kept quiet\n$/],
  ['In a test runner', /\bpass 1\n[\s\S]*\bfail 0\n/],
]

test('each example of the guide is run here', () => {
  expect([...EXAMPLES.keys()]).toEqual(PRINTS.map(([heading]) => heading))
})

test.concurrent.each(PRINTS)('%s', async (heading, printed) => {
  const args = ['--conditions=@millrace/source', '--input-type=module-typescript', '-e', EXAMPLES.get(heading)!]
  // In the examples' folder, where `millrace` is a dependency.
  const child = spawn(process.execPath, args, { cwd: fileURLToPath(new URL('../../../examples', import.meta.url)) })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect(output).toMatch(printed)
  expect(code).toBe(0)
})
