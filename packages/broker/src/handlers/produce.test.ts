import { ErrorCode } from '@millrace/protocol'
import { fetchApi } from '@millrace/protocol/apis/fetch'
import { produceApi } from '@millrace/protocol/apis/produce'
import { describe, expect, test } from 'vitest'
import { startBroker, WireClient } from '../../test/core-fixtures.ts'
import { batchOf, NOW, recordsIn, values } from '../../test/log-fixtures.ts'
import { fetchOne, fetchRequest, partitionsOf, produce, produceRequest } from '../../test/requests.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'
import { StorageError, type StorageFile } from '../storage/storage.ts'

const A_MISSING_ID = 'AAAAAAAAAAAAAAAAAAAAZg'

test('appends by name and by id and tells where', () => {
  const broker = startBroker()
  const id = broker.createTopic('orders')
  const first = produce(broker, 'orders', batchOf(['a', 'b']))
  expect(first).toMatchObject({ errorCode: 0, baseOffset: 0n, logAppendTimeMs: -1n, logStartOffset: 0n, errorMessage: null })
  expect(produce(broker, id, batchOf(['c']), 13)).toMatchObject({ errorCode: 0, baseOffset: 2n })
  expect(recordsIn(fetchOne(broker.client, { topic: 'orders' }).records!).map((record) => record.value)).toEqual(['a', 'b', 'c'])
})

test.each([3, 4, 5, 6, 7, 8, 9, 10, 11, 12])('version %i', (version) => {
  const broker = startBroker()
  broker.createTopic('orders')
  expect(produce(broker, 'orders', batchOf(['a']), version)).toMatchObject({ errorCode: 0, baseOffset: 0n })
  expect(produce(broker, 'missing', batchOf(['a']), version)).toMatchObject({
    errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    baseOffset: -1n,
  })
})

describe('refusals leave the log alone and name the reason', () => {
  const sealed = (): Buffer => batchOf(['a'])
  const cases: [string, Buffer | null, keyof typeof ErrorCode, RegExp][] = [
    ['no records', null, 'INVALID_RECORD', /orders-0: there is no record batch/],
    ['two batches', Buffer.concat([sealed(), sealed()]), 'INVALID_RECORD', /exactly one batch/],
    ['a wrong checksum', flip(sealed(), 65), 'CORRUPT_MESSAGE', /CRC-32C/],
    ['an old magic', set(sealed(), 16, 1), 'INVALID_RECORD', /magic 1/],
    ['a control batch', batchOf(['a'], { control: true }), 'INVALID_RECORD', /control/],
    ['a transactional batch', batchOf(['a'], { transactional: true }), 'INVALID_TXN_STATE', /transactions are not served/],
    ['a base offset', batchOf(['a'], { baseOffset: 7 }), 'INVALID_RECORD', /offset 0, not 7/],
    ['a producer without sequence', batchOf(['a'], { producerId: 5, producerEpoch: 0 }), 'INVALID_RECORD', /sequence -1/],
    ['a future timestamp', batchOf([{ value: 'a', timestamp: NOW + 3_600_001 }]), 'INVALID_TIMESTAMP', /outside/],
    ['a large batch', batchOf(['a'.repeat(1_048_588)]), 'MESSAGE_TOO_LARGE', /max\.message\.bytes is 1048588/],
  ]
  test.each(cases)('%s', (_, records, code, message) => {
    const broker = startBroker()
    broker.createTopic('orders')
    const refused = produce(broker, 'orders', records)
    expect(refused).toMatchObject({ errorCode: ErrorCode[code], baseOffset: -1n, errorMessage: expect.stringMatching(message) })
    expect(produce(broker, 'orders', batchOf(['good'])).baseOffset).toBe(0n)
  })

  test('where the log begins is told with an error of its contents, not with a damaged request', () => {
    const broker = startBroker()
    broker.createTopic('orders')
    expect(produce(broker, 'orders', batchOf(['a'], { baseOffset: 7 })).logStartOffset).toBe(0n)
    expect(produce(broker, 'orders', flip(sealed(), 65)).logStartOffset).toBe(-1n)
    expect(produce(broker, 'missing', sealed()).logStartOffset).toBe(-1n)
  })

  test('an unknown topic id', () => {
    expect(produce(startBroker(), A_MISSING_ID, batchOf(['a']), 13).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID)
  })

  test('a partition that the topic does not have', () => {
    const broker = startBroker()
    broker.createTopic('orders')
    expect(produce(broker, 'orders', batchOf(['a']), 12, 1).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  })

  test('acks that Kafka does not know, and a transactional id', () => {
    const broker = startBroker()
    broker.createTopic('orders')
    const ask = (overrides: object): unknown =>
      broker.client.ask(produceApi, 12, produceRequest('orders', batchOf(['a']), overrides)).responses[0]!.partitionResponses[0]
    expect(ask({ acks: 2 })).toMatchObject({ errorCode: ErrorCode.INVALID_REQUIRED_ACKS })
    expect(ask({ transactionalId: 'tx' })).toMatchObject({ errorCode: ErrorCode.INVALID_TXN_STATE })
    expect(broker.core.services.topics.partition('orders', 0)!.log.logEndOffset).toBe(0)
  })

  test('one bad partition does not touch the others', () => {
    const broker = startBroker()
    broker.createTopic('orders', 2)
    const partitionData = [
      { index: 0, records: flip(batchOf(['bad']), 70) },
      { index: 1, records: batchOf(['good']) },
    ]
    const request = produceRequest('orders', null)
    request.topicData[0]!.partitionData = partitionData
    const { partitionResponses } = broker.client.ask(produceApi, 12, request).responses[0]!
    expect(partitionResponses.map((partition) => partition.errorCode)).toEqual([ErrorCode.CORRUPT_MESSAGE, ErrorCode.NONE])
  })
})

describe('acks=0', () => {
  test('gets no reply, and the next request does', () => {
    const broker = startBroker()
    broker.createTopic('orders')
    const reply = broker.client.send(produceApi, 12, produceRequest('orders', batchOf(['a']), { acks: 0 }))
    expect(produce(broker, 'orders', batchOf(['b'])).baseOffset).toBe(1n)
    expect(reply()).toBeNull()
    expect(broker.client.isClosed).toBe(false)
  })

  test('cuts the connection on an error, as that is the only way to tell', () => {
    const broker = startBroker()
    broker.createTopic('orders')
    broker.client.send(produceApi, 12, produceRequest('orders', flip(batchOf(['a']), 65), { acks: 0 }))
    expect(broker.client.isClosed).toBe(true)
  })
})

describe('idempotence', () => {
  const numbered = (sequence: number, count = 1, epoch = 0): Buffer =>
    batchOf(values(`s${sequence}-`, count), { producerId: 9, producerEpoch: epoch, baseSequence: sequence })

  test('a batch that comes again gets its first offset, for the last five', () => {
    const broker = startBroker()
    broker.createTopic('orders')
    for (let sequence = 0; sequence < 7; sequence++)
      expect(produce(broker, 'orders', numbered(sequence)).baseOffset).toBe(BigInt(sequence))
    for (let sequence = 2; sequence < 7; sequence++)
      expect(produce(broker, 'orders', numbered(sequence))).toMatchObject({ errorCode: 0, baseOffset: BigInt(sequence) })
    expect(produce(broker, 'orders', numbered(1)).errorCode).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(broker.core.services.topics.partition('orders', 0)!.log.logEndOffset).toBe(7)
  })

  test('refuses gaps and old epochs', () => {
    const broker = startBroker()
    broker.createTopic('orders')
    produce(broker, 'orders', numbered(0, 3, 1))
    expect(produce(broker, 'orders', numbered(4, 1, 1)).errorCode).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(produce(broker, 'orders', numbered(3, 1, 0)).errorCode).toBe(ErrorCode.INVALID_PRODUCER_EPOCH)
    expect(produce(broker, 'orders', numbered(3, 1, 2)).errorCode).toBe(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    expect(produce(broker, 'orders', numbered(0, 1, 2))).toMatchObject({ errorCode: 0, baseOffset: 3n })
  })
})

test('a topic with LogAppendTime gives its own timestamps', () => {
  const broker = startBroker()
  broker.createTopic('orders', 1, { 'message.timestamp.type': 'LogAppendTime' })
  const produced = produce(
    broker,
    'orders',
    batchOf([
      { value: 'a', timestamp: 5 },
      { value: 'b', timestamp: 4 },
    ]),
  )
  expect(produced.logAppendTimeMs).toBe(BigInt(NOW))
  expect(recordsIn(fetchOne(broker.client, { topic: 'orders' }).records!).map((record) => record.timestamp)).toEqual([NOW, NOW])
})

describe('flush: fsync', () => {
  test('acks=all waits for the disk and shares a flush; consumers see nothing before', () => {
    const storage = new SlowDisk()
    const broker = startBroker({ storage, flush: 'fsync' })
    broker.createTopic('orders')
    storage.finishAll()
    const replies = [0, 1, 2].map((index) =>
      new WireClient(broker.core).send(produceApi, 12, produceRequest('orders', batchOf([`r${index}`]))),
    )
    const offsets = (): (bigint | undefined)[] => replies.map((reply) => reply()?.responses[0]!.partitionResponses[0]!.baseOffset)
    expect(offsets()).toEqual([undefined, undefined, undefined])
    expect(fetchOne(broker.client, { topic: 'orders' }).records!.length).toBe(0)
    storage.finishAll()
    expect(offsets()).toEqual([0n, undefined, undefined])
    storage.finishAll()
    expect(offsets()).toEqual([0n, 1n, 2n])
    expect(recordsIn(fetchOne(broker.client, { topic: 'orders' }).records!)).toHaveLength(3)
  })

  test('a disk that cannot keep the data is a storage error, for good', () => {
    const storage = new SlowDisk()
    const broker = startBroker({ storage, flush: 'fsync' })
    broker.createTopic('orders')
    storage.finishAll()
    const reply = broker.client.send(produceApi, 12, produceRequest('orders', batchOf(['a'])))
    storage.failAll()
    expect(reply()!.responses[0]!.partitionResponses[0]).toMatchObject({
      errorCode: ErrorCode.KAFKA_STORAGE_ERROR,
      baseOffset: -1n,
    })
    expect(produce(broker, 'orders', batchOf(['b'])).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
  })

  test('a disk that takes too long is a time-out', () => {
    const storage = new SlowDisk()
    const broker = startBroker({ storage, flush: 'fsync' })
    broker.createTopic('orders')
    storage.finishAll()
    const reply = broker.client.send(produceApi, 12, produceRequest('orders', batchOf(['a']), { timeoutMs: 700 }))
    broker.clock.advance(699)
    expect(reply()).toBeNull()
    broker.clock.advance(1)
    expect(reply()!.responses[0]!.partitionResponses[0]).toMatchObject({ errorCode: ErrorCode.REQUEST_TIMED_OUT })
  })
})

test('a waiting consumer gets all partitions of one produce request at once', () => {
  const broker = startBroker()
  broker.createTopic('orders', 2)
  const consumer = new WireClient(broker.core)
  const asks = [0, 1].map((partition) => ({ topic: 'orders', partition }))
  const reply = consumer.send(fetchApi, 12, fetchRequest(asks, { maxWaitMs: 500 }))
  const request = produceRequest('orders', null)
  request.topicData[0]!.partitionData = [0, 1].map((index) => ({ index, records: batchOf([`p${index}`]) }))
  broker.client.ask(produceApi, 12, request)
  expect(partitionsOf(reply()!).map((partition) => recordsIn(partition.records!).length)).toEqual([1, 1])
})

function flip(batch: Buffer, at: number): Buffer {
  batch[at] = batch[at]! ^ 1
  return batch
}

function set(batch: Buffer, at: number, value: number): Buffer {
  batch[at] = value
  return batch
}

/** A disk whose background flushes end when the test says so. */
class SlowDisk extends MemoryStorage {
  #pending: ((error: StorageError | null) => void)[] = []

  override open(path: string): StorageFile {
    const file = super.open(path)
    file.syncInBackground = (done) => void this.#pending.push(done)
    return file
  }

  finishAll(): void {
    for (const done of this.#pending.splice(0)) done(null)
  }

  failAll(): void {
    for (const done of this.#pending.splice(0)) done(new StorageError('sync', 'the disk'))
  }
}
