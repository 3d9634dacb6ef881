import { KafkaError } from '@millrace/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ClassicGroup } from './classic-group.ts'
import { ClassicMember } from './classic-member.ts'
import { decodeOffsetsRecord, groupRecord, groupTombstone, offsetRecord } from './offset-records.ts'

const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url'))
const text = fc.string({ unit: 'binary', maxLength: 40 })

test('a commit reads back as it was written', () => {
  const commit = fc.record({
    offset: fc.maxSafeNat(),
    leaderEpoch: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
    metadata: text,
    committedAt: fc.maxSafeNat(),
    expiresAt: fc.constant(-1),
    topicId: uuid,
  })
  fc.assert(
    fc.property(text, text, fc.nat(1000), commit, (group, topic, partition, value) => {
      const record = offsetRecord(group, topic, partition, value)
      expect(decodeOffsetsRecord(record.key!, record.value)).toEqual({ type: 'offset', group, topic, partition, value })
      expect(decodeOffsetsRecord(offsetRecord(group, topic, partition, null).key!, null)).toMatchObject({ value: null })
    }),
  )
})

test('a commit with an expiry of its own is written in the old version, which has no leader epoch and no topic id', () => {
  const value = {
    offset: 5,
    leaderEpoch: 3,
    metadata: 'm',
    committedAt: 1000,
    expiresAt: 2000,
    topicId: 'BBBBBBBBBBBBBBBBBBBBBg',
  }
  const record = offsetRecord('g', 't', 0, value)
  expect(record.value!.readInt16BE(0)).toBe(1)
  expect(decodeOffsetsRecord(record.key!, record.value)).toMatchObject({ value: { offset: 5, expiresAt: 2000, leaderEpoch: -1 } })
})

test('a group reads back as it was written', () => {
  const group = new ClassicGroup('g', 1234)
  const init = { clientId: 'c', clientHost: '/h', rebalanceTimeoutMs: 60_000, sessionTimeoutMs: 10_000 }
  const protocols = [{ name: 'range', metadata: Buffer.from('subscription') }]
  group.restore({
    protocolType: 'consumer',
    generation: 7,
    protocol: 'range',
    leader: 'm1',
    stateTimestamp: 99,
    members: ['m1', 'm2'].map((id) => new ClassicMember({ ...init, id, instanceId: id === 'm2' ? 'two' : null, protocols })),
  })
  const record = groupRecord(group, new Map([['m1', Buffer.from('A')]]))
  expect(decodeOffsetsRecord(record.key!, record.value)).toMatchObject({
    type: 'group',
    group: 'g',
    value: {
      protocolType: 'consumer',
      generation: 7,
      protocol: 'range',
      leader: 'm1',
      stateTimestamp: 99,
      members: [
        { id: 'm1', instanceId: null, ...init, protocols, assignment: Buffer.from('A') },
        { id: 'm2', instanceId: 'two', ...init, protocols, assignment: Buffer.alloc(0) },
      ],
    },
  })
  expect(decodeOffsetsRecord(groupTombstone('g').key!, null)).toEqual({ type: 'group', group: 'g', value: null })
})

test('records of groups that are not served are passed over', () => {
  for (const type of [9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22, 23]) {
    expect(decodeOffsetsRecord(Buffer.from([0, type, 0, 1, 0x67]), Buffer.from([0, 0, 1]))).toBeNull()
  }
})

test('bytes that are no record are refused with an error of ours', () => {
  const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array))
  const keyOf = fc
    .constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8, 16)
    .chain((type) => bytes.map((rest) => Buffer.concat([Buffer.from([0, type]), rest])))
  fc.assert(
    fc.property(keyOf, fc.option(bytes), (key, value) => {
      const failure = failureOf(() => decodeOffsetsRecord(key, value))
      expect(failure === null || failure instanceof KafkaError).toBe(true)
    }),
    { numRuns: 5000 },
  )
})

function failureOf(action: () => unknown): unknown {
  try {
    action()
    return null
  } catch (error) {
    return error
  }
}
