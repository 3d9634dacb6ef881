import { ZERO_UUID } from '@millrace/protocol'
import { metadataApi } from '@millrace/protocol/apis/metadata'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { allHandlers } from '../src/handlers/all-handlers.ts'
import { SocketClient } from './socket-client.ts'

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const PACKAGE = fileURLToPath(new URL('..', import.meta.url))

/** The first example, as a module that stays until its standard input ends. */
function example(): string {
  const code = /```ts\n([\s\S]*?)```/.exec(README)?.[1]
  if (code === undefined) throw new Error('the README has no example')
  return `${code}\nfor await (const _ of process.stdin);\n`
}

test('the example starts a broker that clients reach, and closes it', async () => {
  const child = spawn(process.execPath, ['--conditions=@millrace/source', '--input-type=module', '--eval', example()], {
    cwd: PACKAGE,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const line = await new Promise<string>((resolve) => createInterface({ input: child.stdout }).once('line', resolve))
  const port = Number(/^clients connect to 127\.0\.0\.1:(\d+)$/.exec(line)?.[1])
  const client = await SocketClient.open(port)
  onTestFinished(() => client.close())
  const topics = [{ name: 'orders', topicId: ZERO_UUID }]
  const request = {
    topics,
    allowAutoTopicCreation: true,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  }
  expect(await client.ask(metadataApi, 12, request)).toMatchObject({ topics: [{ errorCode: 0, name: 'orders' }] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.stdin.end()
  expect(await ended).toBe(0)
})

test('the list of what is served is that of the handlers', () => {
  const section = /## What it serves\n([\s\S]*?)Each file/.exec(README)?.[1] ?? ''
  const listed = [...section.matchAll(/[A-Z][A-Za-z]+/g)].map(([name]) => name)
  expect(listed.toSorted()).toEqual(allHandlers.map(({ api }) => api.name).toSorted())
})
