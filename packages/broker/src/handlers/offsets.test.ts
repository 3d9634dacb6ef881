import { ErrorCode } from '@millrace/protocol'
import { deleteRecordsApi, type DeleteRecordsPartitionResult } from '@millrace/protocol/apis/delete-records'
import { initProducerIdApi, type InitProducerIdResponse } from '@millrace/protocol/apis/init-producer-id'
import { listOffsetsApi, type ListOffsetsPartitionResponse } from '@millrace/protocol/apis/list-offsets'
import { offsetForLeaderEpochApi, type EpochEndOffset } from '@millrace/protocol/apis/offset-for-leader-epoch'
import { beforeEach, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { batchOf, NOW } from '../../test/log-fixtures.ts'
import { fetchOne, produce } from '../../test/requests.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'

let broker: TestBroker

beforeEach(() => {
  broker = startBroker()
  broker.createTopic('orders')
})

function at(...offsetsFromNow: number[]): Buffer {
  return batchOf(offsetsFromNow.map((ms) => ({ value: `${ms}`, timestamp: NOW + ms })))
}

describe('ListOffsets', () => {
  function list(timestamp: number | bigint, version = 11, topic = 'orders', leaderEpoch = -1): ListOffsetsPartitionResponse {
    const partitions = [{ partitionIndex: 0, currentLeaderEpoch: leaderEpoch, timestamp: BigInt(timestamp) }]
    const request = { replicaId: -1, isolationLevel: 0, topics: [{ name: topic, partitions }], timeoutMs: 0 }
    return broker.client.ask(listOffsetsApi, version, request).topics[0]!.partitions[0]!
  }

  test('earliest and latest, also of an empty partition', () => {
    expect(list(-2)).toMatchObject({ errorCode: 0, offset: 0n, timestamp: -1n, leaderEpoch: 0 })
    expect(list(-1)).toMatchObject({ errorCode: 0, offset: 0n, timestamp: -1n, leaderEpoch: 0 })
    produce(broker, 'orders', at(0, 0, 0))
    broker.core.services.topics.partition('orders', 0)!.log.deleteRecordsBefore(2)
    expect([list(-2).offset, list(-4).offset, list(-1).offset]).toEqual([2n, 2n, 3n])
  })

  test('a partition that is asked for twice is refused, and many partitions are no long work', () => {
    const indexes = [0, ...Array.from({ length: 200_000 }, (_, index) => index)]
    const partitions = indexes.map((partitionIndex) => ({ partitionIndex, currentLeaderEpoch: -1, timestamp: -1n }))
    const request = { replicaId: -1, isolationLevel: 0, topics: [{ name: 'orders', partitions }], timeoutMs: 0 }
    const answers = broker.client.ask(listOffsetsApi, 6, request).topics[0]!.partitions
    expect(answers.slice(0, 3).map(({ errorCode }) => errorCode)).toEqual([42, 42, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION])
  })

  test('the first record that is as late as a timestamp, inside a batch too', () => {
    produce(broker, 'orders', at(-500, -400, -300))
    produce(broker, 'orders', at(-450, -100))
    expect(list(NOW - 1000)).toMatchObject({ offset: 0n, timestamp: BigInt(NOW - 500), leaderEpoch: 0 })
    expect(list(NOW - 499)).toMatchObject({ offset: 1n, timestamp: BigInt(NOW - 400) })
    expect(list(NOW - 299)).toMatchObject({ offset: 4n, timestamp: BigInt(NOW - 100) })
    expect(list(NOW)).toMatchObject({ errorCode: 0, offset: -1n, timestamp: -1n, leaderEpoch: -1 })
  })

  test('the record with the largest timestamp, the first of several', () => {
    expect(list(-3)).toMatchObject({ errorCode: 0, offset: -1n, timestamp: -1n })
    produce(broker, 'orders', at(-500, -100, -300))
    produce(broker, 'orders', at(-100, -200))
    expect(list(-3)).toMatchObject({ offset: 1n, timestamp: BigInt(NOW - 100) })
  })

  test('there is nothing tiered', () => {
    expect(list(-5)).toMatchObject({ errorCode: 0, offset: -1n, leaderEpoch: -1 })
    expect(list(-6)).toMatchObject({ errorCode: 0, offset: -1n, leaderEpoch: -1 })
  })

  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])('version %i serves just the special timestamps that it has', (version) => {
    const since = { [-1]: 1, [-2]: 1, [-3]: 7, [-4]: 8, [-5]: 9, [-6]: 11, [-7]: 99 }
    for (const [timestamp, first] of Object.entries(since)) {
      expect(list(Number(timestamp), version).errorCode).toBe(version >= first ? 0 : ErrorCode.UNSUPPORTED_VERSION)
    }
  })

  test('refusals', () => {
    expect(list(-1, 11, 'missing').errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    expect(list(-1, 11, 'orders', 4).errorCode).toBe(ErrorCode.UNKNOWN_LEADER_EPOCH)
    const twice = { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1n }
    const request = {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: 'orders', partitions: [twice, { ...twice }] }],
      timeoutMs: 0,
    }
    const codes = broker.client.ask(listOffsetsApi, 11, request).topics[0]!.partitions.map((partition) => partition.errorCode)
    expect(codes).toEqual([ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_REQUEST])
  })
})

describe('DeleteRecords', () => {
  function deleteRecords(offset: number, topic = 'orders', version = 2): DeleteRecordsPartitionResult {
    const request = { topics: [{ name: topic, partitions: [{ partitionIndex: 0, offset: BigInt(offset) }] }], timeoutMs: 100 }
    return broker.client.ask(deleteRecordsApi, version, request).topics[0]!.partitions[0]!
  }

  beforeEach(() => void produce(broker, 'orders', at(0, 0, 0, 0, 0)))

  test.each([0, 1, 2])('version %i moves the log start, never back', (version) => {
    expect(deleteRecords(3, 'orders', version)).toEqual({ partitionIndex: 0, lowWatermark: 3n, errorCode: 0 })
    expect(deleteRecords(1, 'orders', version).lowWatermark).toBe(3n)
    expect(deleteRecords(-1, 'orders', version).lowWatermark).toBe(5n)
    expect(fetchOne(broker.client, { topic: 'orders', offset: 4 }).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    expect(produce(broker, 'orders', at(0))).toMatchObject({ baseOffset: 5n, logStartOffset: 5n })
  })

  test('refusals', () => {
    expect(deleteRecords(6)).toEqual({ partitionIndex: 0, lowWatermark: -1n, errorCode: ErrorCode.OFFSET_OUT_OF_RANGE })
    expect(deleteRecords(-2).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    expect(deleteRecords(0, 'missing').errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  })

  test('is remembered when the broker is killed right after', () => {
    const storage = new MemoryStorage()
    broker = startBroker({ storage })
    broker.createTopic('orders')
    produce(broker, 'orders', at(0, 0, 0))
    deleteRecords(2)
    broker.core.abandon()
    broker = startBroker({ storage })
    expect(broker.core.services.topics.partition('orders', 0)!.log).toMatchObject({ logStartOffset: 2, logEndOffset: 3 })
  })
})

describe('OffsetForLeaderEpoch', () => {
  function epochEnd(leaderEpoch: number, currentLeaderEpoch = 0, topic = 'orders', version = 4): EpochEndOffset {
    const request = { replicaId: -1, topics: [{ topic, partitions: [{ partition: 0, currentLeaderEpoch, leaderEpoch }] }] }
    return broker.client.ask(offsetForLeaderEpochApi, version, request).topics[0]!.partitions[0]!
  }

  test.each([2, 3, 4])('version %i', (version) => {
    expect(epochEnd(0, 0, 'orders', version)).toEqual({ errorCode: 0, partition: 0, leaderEpoch: 0, endOffset: 0n })
    produce(broker, 'orders', at(0, 0))
    expect(epochEnd(0, 0, 'orders', version)).toMatchObject({ leaderEpoch: 0, endOffset: 2n })
    expect(epochEnd(5, 0, 'orders', version)).toMatchObject({ errorCode: 0, leaderEpoch: -1, endOffset: -1n })
    expect(epochEnd(0, 1, 'orders', version).errorCode).toBe(ErrorCode.UNKNOWN_LEADER_EPOCH)
    expect(epochEnd(0, 0, 'missing', version).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  })
})

describe('InitProducerId', () => {
  function init(transactionalId: string | null = null, version = 5, producerId = -1n): InitProducerIdResponse {
    const request = {
      transactionalId,
      transactionTimeoutMs: 1000,
      producerId,
      producerEpoch: -1,
      enable2Pc: false,
      keepPreparedTxn: false,
    }
    return broker.client.ask(initProducerIdApi, version, request)
  }

  test('an id to go on from needs its epoch', () => {
    expect(init(null, 5, 7n)).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST, producerId: -1n })
  })

  test.each([0, 1, 2, 3, 4, 5])('version %i gives a new id with epoch 0 each time', (version) => {
    const ids = [init(null, version), init(null, version), init(null, version)]
    expect(ids.every((response) => response.errorCode === 0 && response.producerEpoch === 0)).toBe(true)
    expect(new Set(ids.map((response) => response.producerId)).size).toBe(3)
  })

  test('never gives an id again, killed or not', () => {
    const storage = new MemoryStorage()
    const seen = new Set<bigint>()
    for (let round = 0; round < 4; round++) {
      broker = startBroker({ storage })
      for (let count = 0; count < 3; count++) {
        const { producerId } = init()
        expect(seen.has(producerId)).toBe(false)
        seen.add(producerId)
      }
      if (round % 2 === 0) broker.core.abandon()
      else broker.core.close()
    }
  })

  test('refuses transactional ids', () => {
    expect(init('tx')).toMatchObject({ errorCode: ErrorCode.UNSUPPORTED_VERSION, producerId: -1n, producerEpoch: -1 })
    expect(init('').errorCode).toBe(ErrorCode.INVALID_REQUEST)
  })
})
