import { ProtocolError } from '@millrace/protocol'
import { Reader } from '@millrace/protocol/internal'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeConsumerRecord, encodeConsumerRecord, type ConsumerRecord } from './consumer-records.ts'

const text = fc.string({ unit: 'binary', maxLength: 20 })
const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url'))
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const names = fc.array(text, { maxLength: 4 }).map((list) => new Set(list))
const targets = fc.array(
  fc.tuple(
    uuid,
    fc.array(fc.nat(100), { maxLength: 4 }).map((list) => new Set(list)),
  ),
  { maxLength: 3 },
)
const epochs = fc
  .array(
    fc.tuple(
      uuid,
      fc.array(fc.tuple(fc.nat(100), fc.nat()), { maxLength: 4 }).map((list) => new Map(list)),
    ),
    { maxLength: 3 },
  )
  .map((list) => new Map(list))
const classic = fc.record({
  // Kafka's format has no null apart from an empty one with a timeout of 0.
  sessionTimeoutMs: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  protocols: fc.array(fc.record({ name: text, metadata: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) }), {
    maxLength: 3,
  }),
})

const member = fc.record({
  instanceId: fc.option(text),
  rackId: fc.option(text),
  clientId: text,
  clientHost: text,
  topicNames: names,
  topicRegex: fc.option(text),
  rebalanceTimeoutMs: int32,
  serverAssignor: fc.option(text),
  classic: fc.option(classic),
})
const progress = fc.record({
  epoch: int32,
  previousEpoch: int32,
  state: fc.constantFrom('STABLE', 'UNREVOKED_PARTITIONS', 'UNRELEASED_PARTITIONS', 'UNKNOWN'),
  assigned: epochs,
  revoking: epochs,
})
const time = fc.maxSafeNat()

const record = fc.oneof(
  fc.record({ type: fc.constant('member'), group: text, member: text, value: fc.option(member) }),
  fc.record({ type: fc.constant('progress'), group: text, member: text, value: fc.option(progress) }),
  fc.record({ type: fc.constant('target'), group: text, member: text, value: fc.option(targets.map((list) => new Map(list))) }),
  fc.record({
    type: fc.constant('epoch'),
    group: text,
    value: fc.option(fc.record({ epoch: int32, metadataHash: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) })),
  }),
  fc.record({ type: fc.constant('target-epoch'), group: text, value: fc.option(fc.record({ epoch: int32, computedAt: time })) }),
  fc.record({
    type: fc.constant('regex'),
    group: text,
    regex: text,
    value: fc.option(fc.record({ topics: names, version: time, resolvedAt: time })),
  }),
  fc.record({ type: fc.constant('partition-metadata'), group: text, value: fc.constant(null) }),
)

function decode(key: Buffer, value: Buffer | null): ConsumerRecord | null {
  const reader = new Reader(key)
  return decodeConsumerRecord(reader.int16(), reader, value)
}

test('every record reads back as it was written', () => {
  fc.assert(
    fc.property(record, (written) => {
      const { key, value } = encodeConsumerRecord(written)
      expect(decode(key!, value)).toEqual(written)
    }),
    { numRuns: 1000 },
  )
})

test('a record that was cut short is refused with an error of ours, or is a whole one', () => {
  fc.assert(
    fc.property(record, fc.nat(200), (written, length) => {
      const { key, value } = encodeConsumerRecord(written)
      if (value === null || length >= value.length) return
      expect(() => decode(key!, value.subarray(0, length))).toThrow(ProtocolError)
    }),
    { numRuns: 1000 },
  )
})

test('partitions of before Kafka 4.3, which have no epochs of their own, have that of their member, and none below 0', () => {
  for (const [epoch, expected] of [
    [7, 7],
    [-2, 0],
  ] as const) {
    // ConsumerGroupCurrentMemberAssignmentValue: version, epochs, state, one topic with partition 3 and no tagged field, none to revoke.
    const head = Buffer.alloc(11)
    head.writeInt32BE(epoch, 2)
    head.writeInt32BE(epoch, 6)
    const topic = Buffer.concat([Buffer.from([2]), Buffer.alloc(16, 1), Buffer.from([2, 0, 0, 0, 3, 0])])
    const value = Buffer.concat([head, topic, Buffer.from([1, 0])])
    const { key } = encodeConsumerRecord({ type: 'progress', group: 'g', member: 'm', value: null })
    const decoded = decode(key!, value)
    expect(decoded).toMatchObject({ value: { epoch, state: 'STABLE' } })
    const { assigned } = (decoded as ConsumerRecord & { type: 'progress' }).value!
    expect([...assigned.values()]).toEqual([new Map([[3, expected]])])
  }
})
