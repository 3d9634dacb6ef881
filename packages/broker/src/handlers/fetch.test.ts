import { ErrorCode } from '@millrace/protocol'
import { deleteTopicsApi } from '@millrace/protocol/apis/delete-topics'
import { fetchApi, type FetchRequest } from '@millrace/protocol/apis/fetch'
import { beforeEach, describe, expect, test } from 'vitest'
import { startBroker, WireClient, type TestBroker } from '../../test/core-fixtures.ts'
import { batchOf, recordsIn } from '../../test/log-fixtures.ts'
import { fetchOne, fetchRequest, partitionsOf, produce, type FetchAsk } from '../../test/requests.ts'

let broker: TestBroker
let consumer: WireClient
const SIZE = batchOf(['0']).length

beforeEach(() => {
  broker = startBroker()
  broker.createTopic('orders', 3)
  consumer = new WireClient(broker.core)
})

/** Five batches of one record and of the same size. */
function fill(partition = 0): void {
  for (let index = 0; index < 5; index++) produce(broker, 'orders', batchOf([`${index}`]), 12, partition)
}

function valuesOf(records: Buffer | null): (string | null)[] {
  return recordsIn(records!).map((record) => record.value)
}

function send(
  asks: readonly FetchAsk[],
  overrides: Partial<FetchRequest> = {},
): ReturnType<typeof consumer.send<FetchRequest, ReturnType<typeof fetchApi.decodeResponse>>> {
  return consumer.send(fetchApi, 12, fetchRequest(asks, overrides))
}

test.each([4, 5, 6, 7, 8, 9, 10, 11, 12])('version %i', (version) => {
  fill()
  const partition = fetchOne(consumer, { topic: 'orders', offset: 2 }, {}, version)
  expect(partition).toMatchObject({ errorCode: 0, highWatermark: 5n, lastStableOffset: 5n, abortedTransactions: null })
  expect(valuesOf(partition.records)).toEqual(['2', '3', '4'])
})

test.each([13, 14, 15, 16, 17, 18])('version %i, by topic id', (version) => {
  const id = broker.createTopic('by-id')
  produce(broker, 'by-id', batchOf(['a']))
  expect(valuesOf(fetchOne(consumer, { topic: id }, {}, version).records)).toEqual(['a'])
  expect(fetchOne(consumer, { topic: 'AAAAAAAAAAAAAAAAAAAAZg' }, {}, version).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID)
  expect(fetchOne(consumer, { topic: id, partition: 1 }, {}, version).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
})

describe('sizes', () => {
  const ask = (partition: number, maxBytes: number): FetchAsk => ({ topic: 'orders', partition, maxBytes })
  const counts = (asks: readonly FetchAsk[], maxBytes: number): number[] =>
    partitionsOf(consumer.ask(fetchApi, 12, fetchRequest(asks, { maxBytes }))).map(
      (partition) => valuesOf(partition.records).length,
    )

  beforeEach(() => [0, 1, 2].forEach(fill))

  test('a partition gives at most its own limit, in whole batches', () => {
    expect(counts([ask(0, 2 * SIZE), ask(1, 3 * SIZE - 1), ask(2, 100 * SIZE)], 1000 * SIZE)).toEqual([2, 2, 5])
  })

  test('all partitions together give at most the limit of the request', () => {
    expect(counts([ask(0, 100 * SIZE), ask(1, 100 * SIZE), ask(2, 100 * SIZE)], 7 * SIZE)).toEqual([5, 2, 0])
  })

  test('the first partition with data gives one batch even above both limits, the others do not', () => {
    expect(counts([ask(0, 1), ask(1, 1), ask(2, 1)], 1)).toEqual([1, 0, 0])
    expect(counts([{ ...ask(0, 1), offset: 5 }, ask(1, 1), ask(2, 1)], 0)).toEqual([0, 1, 0])
  })

  test("the broker's fetch.max.bytes caps the request", () => {
    broker = startBroker({}, { 'fetch.max.bytes': 1024 })
    broker.createTopic('orders', 1)
    for (let index = 0; index < 20; index++) produce(broker, 'orders', batchOf(['x'.repeat(200)]))
    expect(fetchOne(broker.client, { topic: 'orders' }).records!.length).toBeLessThanOrEqual(1024)
  })
})

describe('refusals', () => {
  beforeEach(() => fill())

  test('offsets outside the log', () => {
    expect(fetchOne(consumer, { topic: 'orders', offset: 6 }).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    expect(fetchOne(consumer, { topic: 'orders', offset: -1 }).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    broker.core.services.topics.partition('orders', 0)!.log.deleteRecordsBefore(2)
    expect(fetchOne(consumer, { topic: 'orders', offset: 1 }).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
  })

  test('topics and partitions that are not there', () => {
    expect(fetchOne(consumer, { topic: 'missing' }).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    expect(fetchOne(consumer, { topic: 'orders', partition: 3 }).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  })

  test('a leader epoch that is not the current one', () => {
    expect(fetchOne(consumer, { topic: 'orders', leaderEpoch: 0 }).errorCode).toBe(0)
    expect(fetchOne(consumer, { topic: 'orders', leaderEpoch: 1 }).errorCode).toBe(ErrorCode.UNKNOWN_LEADER_EPOCH)
  })

  test('a replica that is none', () => {
    expect(fetchOne(consumer, { topic: 'orders' }, { replicaId: 2 }).errorCode).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  })

  test('a last fetched epoch that the log does not have', () => {
    expect(fetchOne(consumer, { topic: 'orders', lastFetchedEpoch: 0, offset: 5 })).toMatchObject({
      errorCode: 0,
      divergingEpoch: { epoch: -1 },
    })
    expect(fetchOne(consumer, { topic: 'orders', lastFetchedEpoch: 0, offset: 9 })).toMatchObject({
      errorCode: 0,
      divergingEpoch: { epoch: 0, endOffset: 5n },
    })
    expect(fetchOne(consumer, { topic: 'orders', lastFetchedEpoch: 3, offset: 5 }).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
  })
})

describe('long poll', () => {
  const atEnd: FetchAsk = { topic: 'orders' }

  test('waits for data and is woken by it', () => {
    const reply = send([atEnd], { maxWaitMs: 500 })
    broker.clock.advance(499)
    expect(reply()).toBeNull()
    produce(broker, 'orders', batchOf(['a']))
    expect(valuesOf(partitionsOf(reply()!)[0]!.records)).toEqual(['a'])
    expect(broker.core.services.fetches.parked.size).toBe(0)
  })

  test('answers with nothing when its time is up, exactly then', () => {
    const reply = send([atEnd], { maxWaitMs: 500 })
    broker.clock.advance(499)
    expect(reply()).toBeNull()
    broker.clock.advance(1)
    expect(partitionsOf(reply()!)[0]).toMatchObject({ errorCode: 0, highWatermark: 0n })
  })

  test('waits for minBytes over all its partitions', () => {
    const reply = send([atEnd, { topic: 'orders', partition: 1 }], { maxWaitMs: 500, minBytes: 3 * SIZE })
    produce(broker, 'orders', batchOf(['a']))
    produce(broker, 'orders', batchOf(['b']), 12, 1)
    expect(reply()).toBeNull()
    produce(broker, 'orders', batchOf(['c']))
    expect(partitionsOf(reply()!).map((partition) => valuesOf(partition.records))).toEqual([['a', 'c'], ['b']])
  })

  test('is not woken by partitions that it did not ask for', () => {
    const reply = send([atEnd], { maxWaitMs: 500 })
    produce(broker, 'orders', batchOf(['a']), 12, 1)
    expect(reply()).toBeNull()
  })

  test('does not wait when it asks for no wait or no bytes, or when there is an error', () => {
    expect(send([atEnd], { maxWaitMs: 0 })()).not.toBeNull()
    expect(send([atEnd], { maxWaitMs: 500, minBytes: 0 })()).not.toBeNull()
    expect(send([{ ...atEnd, offset: 7 }], { maxWaitMs: 500 })()).not.toBeNull()
    expect(send([{ topic: 'missing' }], { maxWaitMs: 500 })()).not.toBeNull()
  })

  test('ends when its topic is deleted', () => {
    const reply = send([atEnd], { maxWaitMs: 500 })
    broker.client.ask(deleteTopicsApi, 6, {
      topics: [{ name: 'orders', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }],
      topicNames: [],
      timeoutMs: 100,
    })
    expect(partitionsOf(reply()!)[0]!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  })

  test('ends when the log start passes it', () => {
    fill()
    const reply = send([{ ...atEnd, offset: 4 }], { maxWaitMs: 500, minBytes: 10_000 })
    expect(reply()).toBeNull()
    broker.core.services.topics.partition('orders', 0)!.log.deleteRecordsBefore(5)
    expect(partitionsOf(reply()!)[0]!.errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
  })

  test('leaves nothing behind when its connection closes', () => {
    send([atEnd], { maxWaitMs: 500 })
    expect(broker.core.services.fetches.parked.size).toBe(1)
    consumer.disconnect()
    expect(broker.core.services.fetches.parked.size).toBe(0)
  })
})

describe('sessions (KIP-227)', () => {
  const asks: FetchAsk[] = [0, 1, 2].map((partition) => ({ topic: 'orders', partition }))
  const open = (): number => {
    const response = send(asks, { sessionEpoch: 0 })()!
    expect(partitionsOf(response)).toHaveLength(3)
    expect(response.sessionId).toBeGreaterThan(0)
    return response.sessionId
  }

  test('tells only partitions with news', () => {
    const sessionId = open()
    produce(broker, 'orders', batchOf(['a']), 12, 1)
    const response = send([], { sessionId, sessionEpoch: 1 })()!
    expect(partitionsOf(response).map((partition) => partition.partitionIndex)).toEqual([1])
    // The same partition has the same records again, as its offset was not moved; the others still have no news.
    expect(partitionsOf(send([], { sessionId, sessionEpoch: 2 })()!).map((partition) => partition.partitionIndex)).toEqual([1])
    const moved = send([{ topic: 'orders', partition: 1, offset: 1 }], { sessionId, sessionEpoch: 3 })()!
    expect(partitionsOf(moved)).toEqual([])
  })

  test('tells an error once and the recovery from it', () => {
    const sessionId = open()
    const beyond = send([{ topic: 'orders', partition: 0, offset: 9 }], { sessionId, sessionEpoch: 1 })()!
    expect(partitionsOf(beyond).map((partition) => partition.errorCode)).toEqual([ErrorCode.OFFSET_OUT_OF_RANGE])
    const back = send([{ topic: 'orders', partition: 0, offset: 0 }], { sessionId, sessionEpoch: 2 })()!
    expect(partitionsOf(back)).toMatchObject([{ partitionIndex: 0, errorCode: 0 }])
  })

  test('forgets partitions, and ends when none is left', () => {
    const sessionId = open()
    const forget = (partitions: number[], sessionEpoch: number): ReturnType<typeof send> =>
      send([], {
        sessionId,
        sessionEpoch,
        forgottenTopicsData: [{ topic: 'orders', topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partitions }],
      })
    fill(0)
    fill(1)
    expect(partitionsOf(forget([0], 1)()!).map((partition) => partition.partitionIndex)).toEqual([1])
    expect(forget([1, 2], 2)()!.sessionId).toBe(0)
    expect(send([], { sessionId, sessionEpoch: 3 })()!.errorCode).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  })

  test('takes turns when the response is full', () => {
    ;[0, 1, 2].forEach(fill)
    const sessionId = send(asks, { sessionEpoch: 0, maxBytes: 1 })()!.sessionId
    const next = (sessionEpoch: number): number[] =>
      partitionsOf(send([], { sessionId, sessionEpoch, maxBytes: 1 })()!)
        .filter((partition) => partition.records!.length > 0)
        .map((partition) => partition.partitionIndex)
    expect([next(1), next(2), next(3), next(4)]).toEqual([[0], [1], [2], [0]])
  })

  test('refuses wrong epochs, unknown sessions and a change between names and ids', () => {
    const sessionId = open()
    expect(send([], { sessionId, sessionEpoch: 5 })()!.errorCode).toBe(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
    expect(send([], { sessionId: 77, sessionEpoch: 1 })()!.errorCode).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    const byId = consumer.ask(fetchApi, 13, fetchRequest([], { sessionId, sessionEpoch: 1 }))
    expect(byId.errorCode).toBe(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
  })

  test('a full request closes the session that it names', () => {
    const sessionId = open()
    expect(send(asks, { sessionId, sessionEpoch: -1 })()!.sessionId).toBe(0)
    expect(broker.core.services.fetches.sessions.size).toBe(0)
  })

  test('a request that waited while its session went on is told so', () => {
    const sessionId = open()
    const waiting = send([], { sessionId, sessionEpoch: 1, maxWaitMs: 500 })
    const other = new WireClient(broker.core)
    other.ask(fetchApi, 12, fetchRequest([], { sessionId, sessionEpoch: 2 }))
    produce(broker, 'orders', batchOf(['a']))
    expect(waiting()!.errorCode).toBe(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
  })

  test('a topic made anew under its name is another topic to a session by id', () => {
    const id = broker.createTopic('again')
    const opened = consumer.ask(fetchApi, 13, fetchRequest([{ topic: id }], { sessionEpoch: 0 }))
    broker.client.ask(deleteTopicsApi, 6, {
      topics: [{ name: 'again', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }],
      topicNames: [],
      timeoutMs: 100,
    })
    broker.createTopic('again')
    produce(broker, 'again', batchOf(['new']))
    const response = consumer.ask(fetchApi, 13, fetchRequest([], { sessionId: opened.sessionId, sessionEpoch: 1 }))
    expect(partitionsOf(response)).toMatchObject([{ errorCode: ErrorCode.UNKNOWN_TOPIC_ID }])
  })
})

test('a fetch whose limits are full does not wait for the bytes that they keep out', () => {
  fill()
  const reply = send([{ topic: 'orders', maxBytes: 2 * SIZE - 1 }], { maxWaitMs: 500, minBytes: 2 * SIZE - 1 })
  expect(valuesOf(partitionsOf(reply()!)[0]!.records)).toEqual(['0'])
})
