import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Broker } from '@millrace/broker'
import { Consumer } from '@millrace/consumer-group'
import { Producer, type RecordMetadata } from '@millrace/producer'
import type { PlannedCut } from '@millrace/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { TcpProxy } from './tcp-proxy.ts'

const PROGRAM = fileURLToPath(new URL('broker-process.ts', import.meta.url))
const TOPIC = 'orders'
/** Every byte is cut after in simulated time; here every few, on real sockets. */
const STEP_BYTES = process.env['MILLRACE_NIGHTLY'] === '1' ? 1 : 7
/** A lost connection is made again at once. */
const EAGER = { reconnectBackoffMs: 1, reconnectBackoffMaxMs: 1, retryBackoffMs: 1, retryBackoffMaxMs: 1, lingerMs: 0 }

async function startProxy(): Promise<TcpProxy> {
  const proxy = await TcpProxy.listen()
  onTestFinished(() => proxy.close())
  return proxy
}

/** Everything that the topic holds, by partition. */
async function readAll(bootstrapServers: string, count: number): Promise<Map<number, string[]>> {
  await using consumer = new Consumer({ bootstrapServers, groupId: 'reader', topics: [TOPIC], autoOffsetReset: 'earliest' })
  const values = new Map<number, string[]>()
  let read = 0
  for await (const { partition, offset, value } of consumer) {
    const stored = values.get(partition) ?? []
    expect(offset).toBe(stored.length)
    stored.push(value!.toString())
    values.set(partition, stored)
    if (++read === count) break
  }
  return values
}

test('a producer whose sockets are cut after so many bytes stores every record once and in order', async () => {
  const proxy = await startProxy()
  await using broker = await Broker.start({ port: 0, advertisedPort: proxy.port, advertisedHost: '127.0.0.1' })
  proxy.target = broker.port
  const bootstrapServers = `127.0.0.1:${proxy.port}`
  const sent: string[] = []
  const exchange = async (cut: PlannedCut | null): Promise<void> => {
    proxy.expect(cut)
    await using producer = new Producer({ bootstrapServers, ...EAGER })
    const values = [0, 1, 2].map((index) => `${sent.length + index}`)
    const first = await producer.send({ topic: TOPIC, value: values[0]! })
    const others = await Promise.all(values.slice(1).map((value) => producer.send({ topic: TOPIC, value })))
    const offsets = [first, ...others].map(({ offset }) => offset)
    expect(offsets, cut === null ? 'uncut' : `${cut.direction} ${cut.bytes}`).toEqual(values.map(Number))
    sent.push(...values)
  }
  await exchange(null)
  const whole = proxy.traffic
  expect(whole.length).toBeGreaterThan(1)
  for (const [connection, traffic] of whole.entries()) {
    for (const direction of ['toServer', 'toClient'] as const)
      for (let bytes = 0; bytes < traffic[direction]; bytes += STEP_BYTES) await exchange({ connection, direction, bytes })
  }
  expect(proxy.cuts).toBeGreaterThan(1_000 / STEP_BYTES)
  proxy.expect(null)
  expect(await readAll(bootstrapServers, sent.length)).toEqual(new Map([[0, sent]]))
})

test('a producer whose broker is killed again and again stores every record once and in order', async () => {
  const proxy = await startProxy()
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-kill-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }))
  let child = await startProcess(dataDir, proxy)
  const bootstrapServers = `127.0.0.1:${proxy.port}`
  const producer = new Producer({ bootstrapServers, ...EAGER, batchSize: 200 })
  let acknowledged = 0
  const sends: Promise<RecordMetadata>[] = []
  const send = (): void => {
    const value = `${sends.length}`
    const sent = producer.send({ topic: TOPIC, value, partition: sends.length % 2 })
    sends.push(sent)
    void sent.then(() => acknowledged++)
  }
  for (let run = 0; run < 3; run++) {
    const goal = acknowledged + 150
    while (acknowledged < goal) {
      for (let index = 0; index < 20; index++) send()
      await Promise.race(sends.slice(-20))
    }
    // In the middle of what is in flight.
    for (let index = 0; index < 200; index++) send()
    await sends.at(-200)
    proxy.target = null
    await kill(child)
    child = await startProcess(dataDir, proxy)
  }
  const places = await Promise.all(sends)
  await producer.close()
  const stored = await readAll(bootstrapServers, sends.length)
  for (const [index, { partition, offset }] of places.entries()) expect(stored.get(partition)![offset]).toBe(`${index}`)
  for (const values of stored.values()) expect(values.map(Number)).toEqual(values.map(Number).toSorted((a, b) => a - b))
  expect([...stored.values()].flat()).toHaveLength(sends.length)
  await kill(child)
})

async function startProcess(dataDir: string, proxy: TcpProxy): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--conditions=@millrace/source', PROGRAM, dataDir, String(proxy.port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  proxy.target = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(Number(line)))
    child.once('exit', (code, signal) => reject(new Error(`the broker ended with ${code ?? signal}`)))
  })
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}
