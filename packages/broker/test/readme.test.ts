import { ZERO_UUID } from '@millrace/protocol'
import { metadataApi, type MetadataRequest } from '@millrace/protocol/apis/metadata'
import { produceApi, type ProduceResponse } from '@millrace/protocol/apis/produce'
import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { allHandlers } from '../src/handlers/all-handlers.ts'
import { batchOf } from './log-fixtures.ts'
import { produceRequest } from './requests.ts'
import { SocketClient } from './socket-client.ts'

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const PACKAGE = fileURLToPath(new URL('..', import.meta.url))

/** An example as a module that stays until its standard input ends. */
function example(about: RegExp): string {
  const code = [...README.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text!).find((text) => about.test(text))
  if (code === undefined) throw new Error(`the README has no example with ${about}`)
  return `${code}\nfor await (const _ of process.stdin);\n`
}

/** An example in a process of its own, its lines, and a client of the broker that it starts. */
async function run(about: RegExp, greeting: RegExp): Promise<{ child: ChildProcess; line(): Promise<string>; port: number }> {
  const child = spawn(process.execPath, ['--conditions=@millrace/source', '--input-type=module', '--eval', example(about)], {
    cwd: PACKAGE,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => String((await lines.next()).value)
  const port = Number(greeting.exec(await line())?.[1])
  return { child, line, port }
}

async function connect(port: number): Promise<SocketClient> {
  const client = await SocketClient.open(port)
  onTestFinished(() => client.close())
  return client
}

async function end(child: ChildProcess): Promise<unknown> {
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.stdin!.end()
  return ended
}

function metadataRequest(topic: string): MetadataRequest {
  return {
    topics: [{ name: topic, topicId: ZERO_UUID }],
    allowAutoTopicCreation: true,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  }
}

test('the example starts a broker that clients reach, and closes it', async () => {
  const { child, port } = await run(/clients connect/, /^clients connect to 127\.0\.0\.1:(\d+)$/)
  const client = await connect(port)
  expect(await client.ask(metadataApi, 12, metadataRequest('orders'))).toMatchObject({
    topics: [{ errorCode: 0, name: 'orders' }],
  })
  expect(await end(child)).toBe(0)
})

test('the example of faults loses one reply', async () => {
  const { child, line, port } = await run(/faults\.add/, /^the service under test connects to 127\.0\.0\.1:(\d+)$/)
  const client = await connect(port)
  await client.ask(metadataApi, 12, metadataRequest('orders'))
  const produce = (on: SocketClient): Promise<ProduceResponse> => on.ask(produceApi, 12, produceRequest('orders', batchOf(['a'])))
  const offset = async (on: SocketClient): Promise<bigint> => (await produce(on)).responses[0]!.partitionResponses[0]!.baseOffset
  expect(await offset(client)).toBe(0n)
  await expect(produce(client)).rejects.toThrow('the connection is closed')
  expect(await line()).toBe('1 reply lost; socket-test had one before')
  // The one whose reply was lost is in the log.
  expect(await offset(await connect(port))).toBe(2n)
  expect(await end(child)).toBe(0)
})

test('the list of what is served is that of the handlers', () => {
  const section = /## What it serves\n([\s\S]*?)Each file/.exec(README)?.[1] ?? ''
  const listed = [...section.matchAll(/[A-Z][A-Za-z]+/g)].map(([name]) => name)
  expect(listed.toSorted()).toEqual(allHandlers.map(({ api }) => api.name).toSorted())
})

test('the selectors of each API are those of its handler', () => {
  const table = /\| selectors \| APIs \|\n\|.*\n((?:\|.*\n)*)/.exec(README)?.[1] ?? ''
  const listed = [...table.matchAll(/^\| (.*) \| (.*) \|$/gm)].flatMap(([, selectors, apis]) => {
    const names = [...selectors!.matchAll(/`(\w+)`/g)].map(([, name]) => name)
    return apis!.split(', ').map((api) => [api, names])
  })
  const served = allHandlers.map(({ api, errors }) => [api.name, [...errors.selectors]])
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(served))
})
