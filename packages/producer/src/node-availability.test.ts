import { KafkaError } from '@millrace/protocol'
import { describe, expect, test } from 'vitest'
import { Accumulator } from './accumulator.ts'
import { UNAVAILABLE_NODE_RETRY_MS } from './limits.ts'
import { NodeAvailability } from './node-availability.ts'
import { PartitionQueue, TopicQueues } from './partition-queue.ts'
import { Sender } from './sender.ts'
import { StickyPartitioner } from './sticky-partitioner.ts'

const TIMEOUT_MS = 1_000

describe('a broker', () => {
  test('whose requests are all in flight is unavailable after the timeout, and available once it takes one', () => {
    const availability = new NodeAvailability(TIMEOUT_MS)
    const noted = (now: number, canDrain: boolean): boolean => {
      availability.note(1, now, canDrain)
      return availability.isAvailable(1)
    }
    expect([noted(0, true), noted(TIMEOUT_MS, false), noted(TIMEOUT_MS + 1, false)]).toEqual([true, true, false])
    expect([availability.isAvailable(2), noted(TIMEOUT_MS + 2, true), noted(TIMEOUT_MS + 3, false)]).toEqual([true, true, true])
  })

  test('that does not answer is so too, however much could be sent to it', () => {
    const availability = new NodeAvailability(TIMEOUT_MS)
    availability.note(1, 0, true)
    availability.answered(1, 5, false)
    for (let now = 100; now <= 900; now += 100) availability.note(1, now, true)
    expect(availability.isAvailable(1)).toBe(true)
    availability.note(1, TIMEOUT_MS + 1, true)
    expect(availability.isAvailable(1)).toBe(false)
    availability.answered(1, TIMEOUT_MS + 2, true)
    availability.note(1, TIMEOUT_MS + 3, true)
    expect(availability.isAvailable(1)).toBe(true)
  })

  test('that got nothing for long is tried again, and given up again', () => {
    const availability = new NodeAvailability(TIMEOUT_MS)
    availability.note(1, 0, true)
    availability.answered(1, 0, false)
    availability.note(1, 2_000, true)
    availability.tick(2_000 + UNAVAILABLE_NODE_RETRY_MS)
    expect(availability.isAvailable(1)).toBe(false)
    let now = 2_001 + UNAVAILABLE_NODE_RETRY_MS
    availability.tick(now)
    expect(availability.isAvailable(1)).toBe(true)
    availability.note(1, now, true)
    expect(availability.isAvailable(1)).toBe(true)
    availability.note(1, (now += TIMEOUT_MS + 1), true)
    expect(availability.isAvailable(1)).toBe(false)
  })

  test('is always available without a timeout', () => {
    const availability = new NodeAvailability(0)
    availability.answered(1, 0, false)
    for (const now of [0, 1e9]) availability.note(1, now, false)
    expect(availability.isAvailable(1)).toBe(true)
  })
})

test('records without a key keep away from a broker that refuses connections, until it answers again', () => {
  const settings = {
    acks: 1,
    batchSize: 1_000,
    bufferMemory: 1e9,
    compress: false,
    deliveryTimeoutMs: 1e9,
    enableIdempotence: false,
    lingerMs: 0,
    maxInFlightRequestsPerConnection: 5,
    maxRequestSize: 1e6,
    partitionerAvailabilityTimeoutMs: TIMEOUT_MS,
    requestTimeoutMs: 30_000,
    retryBackoffMs: 100,
    retryBackoffMaxMs: 100,
  } as const
  const accumulator = new Accumulator(settings)
  const sender = new Sender(settings, accumulator, () => 0.5)
  let chance = 0
  const random = (): number => (chance = (chance + 0.37) % 1)
  const partitioner = new StickyPartitioner(1, random, sender.availability)
  const topic = new TopicQueues('t', partitioner)
  topic.partitions.push(new PartitionQueue(topic, 0), new PartitionQueue(topic, 1))
  sender.setLeader(topic.partitions[0]!, 1, 0)
  sender.setLeader(topic.partitions[1]!, 2, 0)
  const refused = new KafkaError('CONNECTION_FAILED', 'refused', { retriable: true })
  let isBack = false
  /** How many of 20 records go to the second partition, while its broker refuses connections. */
  const send = (now: number): number => {
    let toSecond = 0
    for (let record = 0; record < 20; record++) {
      const chosen = partitioner.choose(topic.partitions)
      toSecond += chosen
      accumulator.append(topic.partitions[chosen]!, now, now, null, 'v', [])
      partitioner.account(10, false)
    }
    sender.poll(now)
    for (const call of sender.effects.calls.splice(0)) {
      if (call.node === 1 || isBack) sender.produced(call, null, now)
      else sender.produceFailed(call, refused, now)
    }
    sender.effects.settled.splice(0)
    return toSecond
  }
  let now = 0
  expect(send(now)).toBeGreaterThan(0)
  while (now < TIMEOUT_MS) expect(send((now += 150)), `at ${now}`).toBeGreaterThan(0)
  send((now += 150))
  for (let round = 0; round < 10; round++) expect(send((now += 150)), `at ${now}`).toBe(0)
  isBack = true
  for (let round = 0; round < 2; round++) send((now += 150))
  expect(send((now += 150))).toBeGreaterThan(0)
})
