import { ProtocolError } from '@millrace/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeMetadataRecord, encodeMetadataRecord } from './metadata-record-codec.ts'
import type { MetadataRecord } from './metadata-record.ts'

const ID = 'BBBBBBBBBBBBBBBBBBBBBg'

const records: MetadataRecord[] = [
  { type: 'feature-level', name: 'metadata.version', level: 25 },
  { type: 'topic', name: 'orders', topicId: ID },
  { type: 'partition', topicId: ID, partition: 3, leader: 1, leaderEpoch: 2, partitionEpoch: 5, replicas: [1] },
  { type: 'leader-election', topicId: ID, partition: 3, leader: 1 },
  { type: 'remove-topic', topicId: ID },
  { type: 'config', resourceType: 2, resourceName: 'orders', name: 'retention.ms', value: '1' },
  { type: 'config', resourceType: 2, resourceName: 'orders', name: 'retention.ms', value: null },
  { type: 'producer-ids', brokerId: 1, nextProducerId: 3000 },
]

test.each(records)('$type reads back as it was written', (record) => {
  expect(decodeMetadataRecord(encodeMetadataRecord(record))).toEqual(record)
})

test('the framing is Kafka’s: frame version 1, record type, record version', () => {
  // What kafka-dump-log --cluster-metadata-decoder prints as TOPIC_RECORD version 0.
  expect(encodeMetadataRecord({ type: 'topic', name: 'a', topicId: ID }).toString('hex')).toBe(
    `0102000261${Buffer.from(ID, 'base64url').toString('hex')}00`,
  )
})

describe('what is refused', () => {
  test.each([
    ['another frame version', [2, 2, 0], /frame version 2; expected 1/],
    ['a type of a later Kafka', [1, 99, 1, 0], /metadata record type 99/],
    ['a version of a later Kafka', [1, 2, 7, 0], /7/],
    ['bytes too few', [1, 2, 0, 5, 0x61], /corrupt frame/],
    ['bytes too many', [1, 9, 0, ...Buffer.from(ID, 'base64url'), 0, 0], /1 bytes after a metadata record of type 9/],
  ])('%s', (_, bytes, message) => {
    const decode = (): MetadataRecord => decodeMetadataRecord(Buffer.from(bytes))
    expect(decode).toThrow(ProtocolError)
    expect(decode).toThrow(message)
  })

  test('any other bytes, with an error of ours', () => {
    const types = fc.constantFrom(2, 3, 4, 5, 9, 12, 15)
    fc.assert(
      fc.property(types, fc.nat(3), fc.uint8Array({ maxLength: 60 }), (type, version, rest) => {
        const failure = failureOf(() => decodeMetadataRecord(Buffer.concat([Buffer.from([1, type, version]), rest])))
        expect(failure === null || failure instanceof ProtocolError).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})

function failureOf(action: () => unknown): unknown {
  try {
    action()
    return null
  } catch (error) {
    return error
  }
}
