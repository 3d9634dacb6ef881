import { ErrorCode, errorFor, KafkaError } from '@millrace/protocol'
import type { PartitionProduceResponse, ProduceResponse } from '@millrace/protocol/apis/produce'
import { readBatches } from '@millrace/records/internal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Accumulator } from './accumulator.ts'
import { BATCHES_PER_POLL } from './limits.ts'
import { PartitionQueue, TopicQueues } from './partition-queue.ts'
import { Sender, type ProduceCall, type SenderConfig } from './sender.ts'
import { StickyPartitioner } from './sticky-partitioner.ts'

const CONFIG: SenderConfig = {
  acks: -1,
  batchSize: 120,
  deliveryTimeoutMs: 1_000_000,
  enableIdempotence: true,
  maxInFlightRequestsPerConnection: 5,
  maxRequestSize: 2_000,
  partitionerAvailabilityTimeoutMs: 0,
  requestTimeoutMs: 30_000,
  retryBackoffMs: 10,
  retryBackoffMaxMs: 10,
}

/** What Kafka's ProducerAppendInfo and ProducerStateEntry do with sequences, and no more. */
class ModelPartition {
  readonly log: number[] = []
  #producerId = -1
  #epoch = -1
  #next = -1
  #recent: Array<{ first: number; count: number; offset: number }> = []

  append(bytes: Buffer): { errorCode: number; baseOffset: number } {
    const [batch] = readBatches(bytes)
    const { producerId, producerEpoch, baseSequence, recordCount } = batch!
    if (producerId === this.#producerId && producerEpoch < this.#epoch) return failed(ErrorCode.INVALID_PRODUCER_EPOCH)
    const isNewEpoch = producerId !== this.#producerId || producerEpoch > this.#epoch
    if (isNewEpoch && this.#producerId === producerId && baseSequence !== 0) return failed(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    if (!isNewEpoch) {
      const known = this.#recent.find(({ first, count }) => first === baseSequence && count === recordCount)
      if (known !== undefined) return { errorCode: ErrorCode.NONE, baseOffset: known.offset }
      if (baseSequence !== this.#next) return failed(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    } else this.#recent = []
    this.#producerId = producerId
    this.#epoch = producerEpoch
    this.#next = (baseSequence + recordCount) % 2 ** 31
    this.#recent = [...this.#recent, { first: baseSequence, count: recordCount, offset: this.log.length }].slice(-5)
    const baseOffset = this.log.length
    for (const record of batch!) this.log.push(Number(record.value!.toString().split(' ')[0]))
    return { errorCode: ErrorCode.NONE, baseOffset }
  }
}

function failed(errorCode: number): { errorCode: number; baseOffset: number } {
  return { errorCode, baseOffset: -1 }
}

interface Wire {
  readonly call: ProduceCall
  response: ProduceResponse | null
}

/** A sender with a cluster of one node, whose network does what the test says. */
class Bench {
  readonly partitions: ModelPartition[]
  readonly queues: PartitionQueue[]
  readonly accumulator: Accumulator
  readonly sender: Sender
  readonly stored = new Map<number, { partition: number; offset: number }>()
  readonly failed = new Map<number, KafkaError>()
  now = 1_000
  sent = 0
  #wire: Wire[] = []

  constructor(partitionCount: number, config: Partial<SenderConfig> = {}) {
    const settings = { ...CONFIG, ...config }
    this.accumulator = new Accumulator({ ...settings, bufferMemory: 1e9, lingerMs: 5, compress: false })
    this.sender = new Sender(settings, this.accumulator, () => 0.5)
    const topic = new TopicQueues('t', new StickyPartitioner(1, () => 0, null))
    this.partitions = Array.from({ length: partitionCount }, () => new ModelPartition())
    this.queues = this.partitions.map((_, partition) => new PartitionQueue(topic, partition))
    for (const queue of this.queues) this.sender.setLeader(queue, 1, 0)
  }

  send(partition: number, size = 8): void {
    const id = this.sent++
    const value = `${id} `.padEnd(size, '.')
    const batch = this.accumulator.append(this.queues[partition]!, this.now, this.now, null, value, [])!
    const resolve = ({ offset }: { offset: number }): void => void this.stored.set(id, { partition, offset })
    const reject = (error: KafkaError): void => void this.failed.set(id, error)
    batch.deliveries.addOne(batch.recordCount - 1, this.now, resolve, reject)
  }

  poll(): void {
    this.sender.poll(this.now)
    const { effects } = this.sender
    for (const call of effects.calls.splice(0)) this.#wire.push({ call, response: null })
    for (const { batch, outcome } of effects.settled.splice(0)) batch.deliveries.settle(outcome)
    if (effects.initProducerId) {
      effects.initProducerId = false
      this.sender.producerIdReceived(7, 0)
      this.poll()
    }
  }

  get inFlight(): number {
    return this.#wire.length
  }

  /** The broker gets the next request. `refusal` is what it says instead of appending, or after it. */
  process(refusal: number | null): void {
    const next = this.#wire.find(({ response }) => response === null)
    if (next === undefined) return
    const answers: PartitionProduceResponse[] = next.call.batches.map((batch) => {
      const isAfterAppend = refusal === ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
      const isAppended = refusal === null || isAfterAppend
      const result = isAppended ? this.partitions[batch.queue.partition]!.append(batch.seal()) : failed(refusal)
      return answerOf(batch.queue.partition, isAfterAppend && result.errorCode === 0 ? failed(refusal) : result)
    })
    next.response = { responses: [{ name: 't', topicId: '', partitionResponses: answers }], throttleTimeMs: 0, nodeEndpoints: [] }
  }

  /** The next answer arrives. */
  answer(): void {
    if (this.#wire[0]?.response === null || this.#wire.length === 0) return
    const { call, response } = this.#wire.shift()!
    this.sender.produced(call, response, this.now)
  }

  /** The connection ends: what the broker got stays, what it did not get never comes. */
  cut(): void {
    const error = new KafkaError('CONNECTION_CLOSED', 'cut', { retriable: true })
    for (const { call } of this.#wire.splice(0)) this.sender.produceFailed(call, error, this.now)
  }

  /** Lets everything come to its end. */
  finish(): void {
    for (let round = 0; round < 10_000; round++) {
      this.now += 20
      this.poll()
      if (this.stored.size + this.failed.size === this.sent) return
      this.process(null)
      this.answer()
    }
    throw new Error(`${this.sent - this.stored.size - this.failed.size} records without an outcome`)
  }
}

function answerOf(index: number, { errorCode, baseOffset }: { errorCode: number; baseOffset: number }): PartitionProduceResponse {
  return {
    index,
    errorCode,
    baseOffset: BigInt(baseOffset),
    logAppendTimeMs: -1n,
    logStartOffset: 0n,
    recordErrors: [],
    errorMessage: null,
    currentLeader: { leaderId: -1, leaderEpoch: -1 },
  }
}

const REFUSALS = [
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.KAFKA_STORAGE_ERROR,
]

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('send' as const), partition: fc.nat(2), size: fc.integer({ min: 6, max: 90 }) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('poll' as const), wait: fc.integer({ min: 0, max: 30 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('process' as const),
      refusal: fc.option(fc.constantFrom(...REFUSALS), { nil: null, freq: 4 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('answer' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const) }) },
)

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

function perform(bench: Bench, one: Step): void {
  if (one.do === 'send') bench.send(one.partition, one.size)
  else if (one.do === 'process') bench.process(one.refusal)
  else if (one.do === 'answer') bench.answer()
  else if (one.do === 'cut') bench.cut()
  else {
    bench.now += one.wait
    bench.poll()
  }
}

describe('with idempotence, whatever is lost and refused', () => {
  test('every record is stored exactly once, in order, and where its sender was told', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const bench = new Bench(3)
        for (const one of steps) perform(bench, one)
        bench.finish()
        expect(bench.failed.size).toBe(0)
        expect(bench.partitions.flatMap(({ log }) => log)).toHaveLength(bench.sent)
        for (const { log } of bench.partitions) expect(log).toEqual(log.toSorted((a, b) => a - b))
        for (const [id, { partition, offset }] of bench.stored) expect(bench.partitions[partition]!.log[offset]).toBe(id)
      }),
      { numRuns: 1_000 },
    )
  })

  test('records that time out are stored at most once, and the others exactly once, in order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const bench = new Bench(3, { deliveryTimeoutMs: 60 })
        for (const one of steps) perform(bench, one)
        bench.finish()
        const all = bench.partitions.flatMap(({ log }) => log)
        expect(new Set(all).size).toBe(all.length)
        for (const { log } of bench.partitions) expect(log).toEqual(log.toSorted((a, b) => a - b))
        for (const [id, { partition, offset }] of bench.stored) expect(bench.partitions[partition]!.log[offset]).toBe(id)
        for (const error of bench.failed.values()) expect(error.code).toBe('DELIVERY_TIMED_OUT')
      }),
      { numRuns: 1_000 },
    )
  })

  test('a refusal for good fails its batch and lets the next ones through under a new epoch', () => {
    const bench = new Bench(1)
    bench.send(0)
    bench.finish()
    for (let index = 0; index < 3; index++) {
      bench.send(0)
      bench.now += 10
      bench.poll()
    }
    expect(bench.inFlight).toBe(3)
    bench.process(ErrorCode.INVALID_RECORD)
    bench.answer()
    bench.finish()
    expect([...bench.failed.keys()]).toEqual([1])
    expect(bench.failed.get(1)).toMatchObject({ code: 'INVALID_RECORD', message: expect.stringContaining('t-0') })
    expect(bench.partitions[0]!.log).toEqual([0, 2, 3])
    expect(bench.sender.identity.epoch).toBe(1)
  })

  test('a batch that may be stored is asked about under its old number before a reset, and not stored twice', () => {
    const bench = new Bench(1, { deliveryTimeoutMs: 100 })
    bench.send(0)
    bench.finish()
    bench.send(0)
    bench.now += 10
    bench.poll()
    bench.now += 50
    bench.send(0)
    bench.now += 10
    bench.poll()
    expect(bench.inFlight).toBe(2)
    bench.process(null)
    bench.process(null)
    bench.cut()
    bench.now += 35
    bench.poll()
    expect([...bench.failed.keys()]).toEqual([1])
    bench.finish()
    expect(bench.partitions[0]!.log).toEqual([0, 1, 2])
    expect(bench.stored.get(2)).toEqual({ partition: 0, offset: 2 })
  })

  test('a partition that is reset while another sends gives that one no new epoch behind what is in flight', () => {
    const bench = new Bench(2)
    for (const partition of [0, 1]) bench.send(partition)
    bench.finish()
    for (const partition of [1, 0]) {
      bench.send(partition)
      bench.now += 10
      bench.poll()
    }
    bench.process(ErrorCode.INVALID_RECORD)
    bench.answer()
    // Now partition 1 is to be reset, and partition 0 has one batch in flight and may send another.
    for (const partition of [0, 1]) bench.send(partition)
    bench.now += 10
    bench.poll()
    bench.process(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    bench.finish()
    expect([...bench.failed.keys()]).toEqual([2])
    expect(bench.partitions.map(({ log }) => log)).toEqual([
      [0, 3, 4],
      [1, 5],
    ])
  })

  test('the last epoch of a producer id is followed by a new id', () => {
    const bench = new Bench(1)
    bench.poll()
    bench.sender.producerIdReceived(3, 0x7fff)
    bench.send(0)
    bench.now += 10
    bench.poll()
    bench.process(ErrorCode.INVALID_RECORD)
    bench.answer()
    bench.send(0)
    bench.finish()
    expect(bench.partitions[0]!.log).toEqual([1])
    expect(bench.sender.identity).toMatchObject({ producerId: 7, epoch: 0 })
  })
})

describe('what to send', () => {
  test('at most so many requests per broker, one batch per partition and request, within maxRequestSize', () => {
    const bench = new Bench(3, { maxRequestSize: 700 })
    for (let partition = 0; partition < 3; partition++) bench.send(partition)
    bench.finish()
    for (let index = 0; index < 200; index++) bench.send(index % 3, 90)
    bench.now += 10
    bench.sender.poll(bench.now)
    const calls = bench.sender.effects.calls
    expect(calls).toHaveLength(5)
    for (const { batches } of calls) {
      expect(new Set(batches.map(({ queue }) => queue)).size).toBe(batches.length)
      expect(batches.reduce((sum, batch) => sum + batch.sizeInBytes, 0)).toBeLessThanOrEqual(700)
    }
  })

  test('one batch at a time until a partition has taken the first', () => {
    const bench = new Bench(1)
    for (let index = 0; index < 9; index++) bench.send(0, 90)
    bench.now += 10
    bench.poll()
    expect(bench.inFlight).toBe(1)
    bench.process(null)
    bench.answer()
    bench.poll()
    expect(bench.inFlight).toBe(5)
  })

  test('of many partitions, one poll sends a part, and the next ones the rest at once', () => {
    const bench = new Bench(BATCHES_PER_POLL * 2 + 1, { enableIdempotence: false, maxRequestSize: 1_000_000 })
    for (let partition = 0; partition < bench.queues.length; partition++) bench.send(partition)
    bench.now += 5
    const inFlight = (): number => bench.queues.filter((queue) => queue.inFlight > 0).length
    for (const sent of [BATCHES_PER_POLL, BATCHES_PER_POLL * 2]) {
      bench.poll()
      expect(inFlight()).toBe(sent)
      expect(bench.sender.deadline).toBeLessThanOrEqual(bench.now)
    }
    bench.poll()
    expect([inFlight(), bench.inFlight]).toEqual([bench.queues.length, 3])
    expect(bench.sender.deadline).toBeGreaterThan(bench.now)
    bench.finish()
    expect(bench.stored.size).toBe(bench.sent)
  })

  test('nothing before the linger is over, unless a batch is full', () => {
    const bench = new Bench(1, { enableIdempotence: false })
    bench.send(0)
    bench.poll()
    expect([bench.inFlight, bench.sender.deadline]).toEqual([0, bench.now + 5])
    bench.send(0, 40)
    bench.poll()
    expect(bench.inFlight).toBe(1)
    bench.now += 5
    bench.poll()
    expect(bench.inFlight).toBe(2)
  })

  test('what has lingered takes records until it can be sent, and a flush does not close it sooner', () => {
    const bench = new Bench(2, { enableIdempotence: false, maxInFlightRequestsPerConnection: 1 })
    bench.send(0)
    bench.now += 5
    bench.poll()
    expect(bench.inFlight).toBe(1)
    for (let index = 0; index < 3; index++) {
      bench.send(1)
      bench.now += 5
      bench.poll()
      expect([bench.inFlight, bench.queues[1]!.open!.recordCount, bench.accumulator.openCount]).toEqual([1, index + 1, 0])
      // Nothing is due before the broker answers.
      expect(bench.sender.deadline).toBeGreaterThan(bench.now + 1_000)
    }
    bench.accumulator.closeAll()
    bench.process(null)
    bench.answer()
    bench.poll()
    expect([bench.inFlight, bench.queues[1]!.open, bench.queues[1]!.inFlight]).toEqual([1, null, 1])
    bench.finish()
    expect(bench.partitions[1]!.log).toEqual([1, 2, 3])
  })

  test('a partition without a leader waits and asks for metadata; a new leader gets its retries at once', () => {
    const bench = new Bench(1, { enableIdempotence: false, retryBackoffMs: 1_000, retryBackoffMaxMs: 1_000 })
    bench.sender.setLeader(bench.queues[0]!, -1, 1)
    bench.send(0)
    bench.now += 5
    bench.poll()
    expect([bench.inFlight, [...bench.sender.effects.staleTopics]]).toEqual([0, ['t']])
    bench.sender.setLeader(bench.queues[0]!, 1, 2)
    bench.poll()
    bench.process(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    bench.answer()
    bench.poll()
    expect(bench.inFlight).toBe(0)
    bench.sender.setLeader(bench.queues[0]!, 9, 1)
    expect(bench.queues[0]!.leader).toBe(1)
    bench.sender.setLeader(bench.queues[0]!, 2, 3)
    bench.poll()
    expect(bench.inFlight).toBe(1)
  })

  test('an error of the whole producer fails what waits, now and later', () => {
    const bench = new Bench(1)
    bench.send(0)
    bench.now += 5
    bench.sender.poll(bench.now)
    bench.sender.producerIdRefused(ErrorCode.UNSUPPORTED_VERSION)
    bench.poll()
    expect(bench.failed.get(0)).toMatchObject({ code: errorFor(ErrorCode.UNSUPPORTED_VERSION).code })
    expect(bench.sender.fatal).not.toBeNull()
  })

  test.each([ErrorCode.CLUSTER_AUTHORIZATION_FAILED, ErrorCode.PRODUCER_FENCED])(
    'error %i of one batch is the end of all',
    (code) => {
      const bench = new Bench(2)
      for (let index = 0; index < 4; index++) bench.send(index % 2)
      bench.now += 10
      bench.poll()
      bench.send(1)
      bench.process(code)
      bench.answer()
      bench.poll()
      expect([...bench.failed.keys()].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4])
      expect(new Set([...bench.failed.values()].map((error) => error.code))).toEqual(new Set([errorFor(code).code]))
      expect(bench.sender.fatal).toMatchObject({ code: errorFor(code).code })
    },
  )

  test('without the right to a producer id what there is fails, and the next one is asked for again', () => {
    const bench = new Bench(1)
    bench.send(0)
    bench.now += 5
    bench.sender.poll(bench.now)
    expect(bench.sender.effects.initProducerId).toBe(true)
    bench.sender.effects.initProducerId = false
    bench.sender.producerIdRefused(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    bench.poll()
    expect(bench.failed.get(0)).toMatchObject({ code: 'CLUSTER_AUTHORIZATION_FAILED' })
    expect(bench.sender.fatal).toBeNull()
    bench.send(0)
    bench.finish()
    expect([bench.partitions[0]!.log, bench.failed.size]).toEqual([[1], 1])
  })
})

test('notes which broker takes nothing for how long', () => {
  const bench = new Bench(1, {
    maxInFlightRequestsPerConnection: 1,
    partitionerAvailabilityTimeoutMs: 100,
    enableIdempotence: false,
  })
  const { availability } = bench.sender
  const sendAndPoll = (waitMs: number): boolean => {
    bench.send(0, 90)
    bench.now += waitMs
    bench.poll()
    return availability.isAvailable(1)
  }
  expect([sendAndPoll(10), bench.inFlight]).toEqual([true, 1])
  expect([sendAndPoll(100), bench.inFlight]).toEqual([true, 1])
  expect([sendAndPoll(10), bench.inFlight]).toEqual([false, 1])
  bench.process(null)
  bench.answer()
  bench.poll()
  expect([availability.isAvailable(1), bench.inFlight]).toEqual([true, 1])
  bench.finish()
  expect(bench.stored.size).toBe(3)
})
