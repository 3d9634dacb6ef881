import { KafkaError } from '@millrace/protocol'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import * as header from './batch-header.ts'
import { COMPRESSION_TYPES } from './compression-type.ts'
import { allowNativeCodecs } from './compression/natives.ts'
import { readEndTransactionMarker } from './control-record.ts'
import { readBatches } from './read-batches.ts'
import { RecordBatchBuilder } from './record-batch-builder.ts'

afterEach(() => allowNativeCodecs(true))

const LIMIT = 1 << 20
/** What one run may do at most: every record is at least 7 bytes of at most `LIMIT`. */
const MAX_RECORDS = LIMIT / 7

function sample(compression: (typeof COMPRESSION_TYPES)[number]): Buffer {
  const batches = [3, 40].map((count) => {
    const builder = new RecordBatchBuilder()
    for (let i = 0; i < count; i++) {
      builder.tryAppend(
        1_790_000_000_000 + i * i * 1000,
        i % 5 === 0 ? null : `key-${i}`,
        `value ${'of the record '.repeat(i % 9)}${i}`,
        i % 3 === 0
          ? [
              ['trace', `${i}`],
              ['empty', null],
            ]
          : [],
      )
    }
    return builder.seal({
      compression,
      control: count === 3,
      transactional: true,
      producerId: 9,
      producerEpoch: 0,
      baseSequence: 0,
    })
  })
  return Buffer.concat(batches)
}

/** Reads everything there is to read. Any error but ours fails the test; so does more output than the limit allows. */
function readAll(bytes: Buffer, checkCrcs: boolean): KafkaError | null {
  let records = 0
  try {
    for (const batch of readBatches(bytes, { checkCrcs, maxDecompressedBytes: LIMIT })) {
      for (const record of batch) {
        records++
        expect(Number.isSafeInteger(record.offset) && Number.isSafeInteger(record.timestamp)).toBe(true)
        expect((record.key?.length ?? 0) + (record.value?.length ?? 0)).toBeLessThanOrEqual(LIMIT)
        for (const [name, value] of record.headers) expect(name.length + (value?.length ?? 0)).toBeLessThanOrEqual(LIMIT)
        if (batch.isControl) readEndTransactionMarker(record)
      }
    }
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return error
  } finally {
    expect(records).toBeLessThanOrEqual(MAX_RECORDS)
  }
  return null
}

/** As an attacker would: the CRCs made right again, wherever the lengths still allow it. */
function repairCrcs(bytes: Buffer): void {
  for (let position = 0; position + header.BATCH_HEADER_BYTES <= bytes.length;) {
    const size = header.batchBytes(bytes, position)
    if (size < header.BATCH_HEADER_BYTES || size > bytes.length - position) return
    header.patchCrc(bytes, position)
    position += size
  }
}

describe.each(COMPRESSION_TYPES)('%s', (compression) => {
  const bytes = sample(compression)
  const modes = compression === 'lz4' || compression === 'zstd' ? [true, false] : [true]

  test('truncated at every byte: whole batches, then silence', () => {
    for (let length = 0; length <= bytes.length; length++) {
      const error = readAll(bytes.subarray(0, length), true)
      // The control batch of the sample holds no markers.
      expect(error === null || /control record|transaction marker/.test(error.message)).toBe(true)
    }
  })

  test('any changed byte under the CRC is noticed', () => {
    for (let position = 17; position < header.batchBytes(bytes, 0); position++) {
      const bad = Buffer.from(bytes)
      bad[position]! ^= 0x55
      expect(() => [...readBatches(bad)], `byte ${position}`).toThrow(KafkaError)
    }
  })

  test.each(modes)('changed bytes make typed errors or other records; native: %s', (native) => {
    allowNativeCodecs(native)
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)))
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        fc.nat(bytes.length),
        (changes, repair, cut) => {
          const bad = Buffer.from(bytes)
          for (const [position, value] of changes) bad[position] = value
          if (repair) repairCrcs(bad)
          expect(() => readAll(bad, repair)).not.toThrow()
          expect(() => readAll(bad.subarray(0, cut), false)).not.toThrow()
        },
      ),
      { numRuns: 600 },
    )
  })
})

test('random records under a sound header', () => {
  const field = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 0x80, 0xff, 0x0f))
  fc.assert(
    fc.property(
      fc.array(field, { maxLength: 120 }),
      fc.nat(20),
      fc.nat(4),
      fc.integer({ min: -(2 ** 50), max: 2 ** 53 - 1 }),
      (records, count, type, baseTimestamp) => {
        const bad = Buffer.concat([Buffer.alloc(header.BATCH_HEADER_BYTES), Buffer.from(records)])
        header.writeBatchHeader(bad, 0, bad.length, {
          baseOffset: 1,
          partitionLeaderEpoch: 0,
          attributes: type,
          lastOffsetDelta: count + 3,
          baseTimestamp,
          maxTimestamp: baseTimestamp,
          producerId: -1,
          producerEpoch: -1,
          baseSequence: -1,
          recordCount: count,
        })
        expect(() => readAll(bad, true)).not.toThrow()
      },
    ),
    { numRuns: 3000 },
  )
})

test('random bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const buffer = Buffer.from(bytes)
      expect(() => readAll(buffer, true)).not.toThrow()
      expect(() => readAll(buffer, false)).not.toThrow()
    }),
    { numRuns: 2000 },
  )
})
