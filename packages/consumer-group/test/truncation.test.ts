import { mkdtemp, readFile, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from '@millrace/broker'
import { Consumer, type ConsumerOptions } from '@millrace/consumer-group'
import { Producer } from '@millrace/producer'
import { batchBytes, lastOffset } from '@millrace/records/internal'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nextEvent, range, take } from './bench.ts'

const TOPIC = 't'
const QUICK = { retryBackoffMs: 10, retryBackoffMaxMs: 50, reconnectBackoffMs: 10, reconnectBackoffMaxMs: 50 }

let dataDir: string
let broker: Broker

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'millrace-truncation-'))
  broker = await Broker.start({ port: 0, dataDir })
  await send(range(0, 10))
})

afterEach(async () => {
  await broker.close()
  await rm(dataDir, { recursive: true })
})

/** Each in a batch of its own. */
async function send(values: readonly number[]): Promise<void> {
  await using producer = new Producer({ bootstrapServers: broker.bootstrapServers, lingerMs: 0, ...QUICK })
  for (const value of values) await producer.send({ topic: TOPIC, partition: 0, value: String(value) })
}

function consumer(options: Partial<ConsumerOptions>): Consumer {
  return new Consumer({ bootstrapServers: broker.bootstrapServers, autoOffsetReset: 'earliest', ...QUICK, ...options })
}

/** What an unclean election does: the log ends at `endOffset`, a new leader begins there, and writes something else. */
async function truncateLog(endOffset: number, values: readonly number[]): Promise<void> {
  const { port } = broker
  await broker.close()
  const path = join(dataDir, `${TOPIC}-0`, '00000000000000000000.log')
  const log = await readFile(path)
  let end = 0
  while (end < log.length && lastOffset(log, end) < endOffset) end += batchBytes(log, end)
  await truncate(path, end)
  // As after a crash, so that the log is looked through.
  await rm(join(dataDir, '.kafka_cleanshutdown'), { force: true })
  broker = await Broker.start({ port, dataDir })
  broker.faults.add({ api: 'Produce', topic: TOPIC, answer: { electLeader: 1 } })
  await send(values)
}

test('a log that was truncated behind a running consumer is gone on with where it differs, and the application is told', async () => {
  await using reader = consumer({})
  reader.assign([{ topic: TOPIC, partition: 0 }])
  await take(reader, 10)
  reader.pause(reader.assignment)
  await truncateLog(6, range(100, 108))
  const truncated = nextEvent(reader, 'truncated')
  reader.resume(reader.assignment)
  const values: string[] = []
  for await (const { offset, value } of reader) {
    values.push(`${offset}:${String(value)}`)
    if (values.length === 8) reader.stop()
  }
  // All that the new leader wrote, although offset 10 exists again.
  expect(values).toEqual(range(6, 14).map((offset) => `${offset}:${offset + 94}`))
  expect(await truncated).toEqual({ topic: TOPIC, partition: 0, offset: 10, divergentOffset: 6 })
})

test("with autoOffsetReset 'none' it is an error that names the offsets, until the application seeks", async () => {
  await using reader = consumer({ autoOffsetReset: 'none' })
  reader.assign([{ topic: TOPIC, partition: 0, offset: 0 }])
  await take(reader, 10)
  reader.pause(reader.assignment)
  await truncateLog(6, range(100, 108))
  reader.resume(reader.assignment)
  const expected = { code: 'LOG_TRUNCATION', topic: TOPIC, partition: 0, offset: 10, divergentOffset: 6 }
  await expect(take(reader, 1)).rejects.toMatchObject(expected)
  await expect(take(reader, 1)).rejects.toMatchObject(expected)
  reader.seek({ topic: TOPIC, partition: 0 }, 6)
  expect(await take(reader, 3)).toEqual([6, 7, 8])
})

test('a group that committed before the truncation goes on where the log differs, not behind it', async () => {
  {
    await using reader = consumer({ groupId: 'g', topics: [TOPIC] })
    await take(reader, 10)
  }
  await truncateLog(6, range(100, 108))
  await using reader = consumer({ groupId: 'g', topics: [TOPIC] })
  const truncated = nextEvent(reader, 'truncated')
  expect(await take(reader, 8)).toEqual(range(6, 14))
  expect(await truncated).toMatchObject({ offset: 10, divergentOffset: 6 })
  await reader.commit()
  const [committed] = await reader.committed([{ topic: TOPIC, partition: 0 }])
  expect(committed!.offset).toBe(14)
  expect(committed!.leaderEpoch).toBeGreaterThan(0)
})

test('what is only buffered and gone is fetched anew, and nothing else happens', async () => {
  await using reader = consumer({ maxPollRecords: 5 })
  reader.assign([{ topic: TOPIC, partition: 0 }])
  let truncations = 0
  reader.on('truncated', () => truncations++)
  expect(await take(reader, 4)).toEqual(range(0, 4))
  reader.pause(reader.assignment)
  await truncateLog(6, range(100, 108))
  // Read with its fetches held up, it would hand out what it has buffered; asked first, it knows better.
  const validated = broker.requests
  validated.start()
  reader.resume(reader.assignment)
  const values: string[] = []
  for await (const { offset, value } of reader) {
    values.push(`${offset}:${String(value)}`)
    if (values.length === 1) await validated.waitFor({ api: 'OffsetForLeaderEpoch', outcome: 'answered' })
    if (offset === 13) reader.stop()
  }
  expect(truncations).toBe(0)
  expect(values.slice(-8)).toEqual(range(6, 14).map((offset) => `${offset}:${offset + 94}`))
})

test('a new leader that has all that was read costs a question and nothing more', async () => {
  await using reader = consumer({})
  reader.assign([{ topic: TOPIC, partition: 0 }])
  await take(reader, 10)
  broker.requests.start()
  broker.faults.add({ api: 'Produce', topic: TOPIC, answer: { electLeader: 1 } })
  await send([10])
  expect(await take(reader, 1)).toEqual([10])
  expect(broker.requests.list({ api: 'OffsetForLeaderEpoch' }).length).toBeGreaterThan(0)
})
