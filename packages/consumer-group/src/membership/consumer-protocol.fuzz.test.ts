import { ProtocolError } from '@millrace/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from './consumer-protocol.ts'

const partitions = fc.array(fc.record({ topic: fc.string({ maxLength: 5 }), partition: fc.nat(9) }), { maxLength: 6 })

test('any bytes decode or throw ProtocolError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      for (const decode of [decodeSubscription, decodeAssignment]) {
        expect(failureOf(() => decode(Buffer.from(bytes)))).toSatisfy(isNothingOrProtocolError)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('a message of a later version is read as the last known one, whatever follows', () => {
  fc.assert(
    fc.property(partitions, fc.integer({ min: 4, max: 0x7fff }), fc.uint8Array({ maxLength: 8 }), (owned, version, rest) => {
      const subscription = encodeSubscription({
        topics: ['t'],
        userData: null,
        ownedPartitions: owned,
        generationId: 3,
        rackId: 'r',
      })
      subscription.writeInt16BE(version, 0)
      const decoded = decodeSubscription(Buffer.concat([subscription, rest]))
      expect(decoded).toMatchObject({ topics: ['t'], generationId: 3, rackId: 'r' })
      expect(decoded.ownedPartitions).toHaveLength(owned.length)
      const assignment = encodeAssignment(owned)
      assignment.writeInt16BE(version, 0)
      expect(decodeAssignment(Buffer.concat([assignment, rest]))).toHaveLength(owned.length)
    }),
  )
})

test('damaged bytes decode or throw ProtocolError', () => {
  fc.assert(
    fc.property(partitions, fc.nat(200), fc.integer({ min: 0, max: 255 }), (owned, at, byte) => {
      const bytes = encodeSubscription({
        topics: ['topic'],
        userData: Buffer.alloc(4),
        ownedPartitions: owned,
        generationId: 1,
        rackId: null,
      })
      bytes[at % bytes.length] = byte
      expect(failureOf(() => decodeSubscription(bytes))).toSatisfy(isNothingOrProtocolError)
    }),
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

function isNothingOrProtocolError(error: unknown): boolean {
  return error === null || error instanceof ProtocolError
}
