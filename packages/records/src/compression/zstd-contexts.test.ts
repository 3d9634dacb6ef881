import fc from 'fast-check'
import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { KEPT_ZSTD_BYTES } from '../limits.ts'
import { codecOf } from './codecs.ts'
import { compressInKeptContext, decompressInKeptContext } from './zstd-contexts.ts'

const LIMIT = 16 * 1024 * 1024
const { ZSTD_c_compressionLevel, ZSTD_c_checksumFlag, ZSTD_c_windowLog } = zlib.constants
const text = Buffer.from(Array.from({ length: 90_000 }, (_, i) => `${i % 97}:${(i * 7919) % 1009} of the log\n`).join(''))
const sizes = [1, 2, 100, 1000, 10_000, 16_384, 131_072, 131_073, KEPT_ZSTD_BYTES]

/** As Java writes it: a stream, which does not know its size when it begins. */
async function withoutContentSize(input: Buffer, params: Record<number, number> = {}): Promise<Buffer> {
  return promisify<Buffer, zlib.ZstdOptions, Buffer>(zlib.zstdCompress)(input, { params })
}

describe('compression', () => {
  test('the same bytes as from a context of its own, whatever was compressed before, at any level', () => {
    for (const level of [3, -5, 1, 3, 4]) {
      const options = { params: { [ZSTD_c_compressionLevel]: level } }
      for (const size of [...sizes, ...sizes.toReversed()]) {
        const input = text.subarray(0, size)
        expect(compressInKeptContext(input, level)?.equals(zlib.zstdCompressSync(input, options))).toBe(true)
      }
    }
  })

  test('earlier results do not change', () => {
    const first = compressInKeptContext(text.subarray(0, 1000), 3)!
    const copy = Buffer.from(first)
    compressInKeptContext(text.subarray(1000, 9000), 3)
    expect(first).toEqual(copy)
  })

  test('nothing at all makes a frame', () => {
    expect(zlib.zstdDecompressSync(compressInKeptContext(Buffer.alloc(0), 3)!)).toHaveLength(0)
  })

  test('much input and high levels are left to contexts of their own', () => {
    expect(compressInKeptContext(text.subarray(0, KEPT_ZSTD_BYTES + 1), 3)).toBeNull()
    expect(compressInKeptContext(text.subarray(0, 1000), 19)).toBeNull()
  })
})

describe('decompression', () => {
  test.each([{}, { [ZSTD_c_checksumFlag]: 1 }])('what was written, one after another, with parameters %o', async (params) => {
    for (const size of [...sizes, ...sizes.toReversed()]) {
      const input = text.subarray(0, size)
      const stated = zlib.zstdCompressSync(input, { params })
      expect(decompressInKeptContext(stated, LIMIT)?.equals(input)).toBe(true)
      expect(decompressInKeptContext(stated, size)?.equals(input)).toBe(true)
      const unstated = await withoutContentSize(input, params)
      expect(decompressInKeptContext(unstated, LIMIT)?.equals(input)).toBe(true)
    }
  })

  test('earlier results do not change', () => {
    const first = decompressInKeptContext(zlib.zstdCompressSync(text.subarray(0, 1000)), LIMIT)!
    decompressInKeptContext(zlib.zstdCompressSync(text.subarray(1000, 9000)), LIMIT)
    expect(first).toEqual(text.subarray(0, 1000))
  })

  test('what is not one whole frame of ordinary size, or is too much, is left to node:zlib', async () => {
    const packed = zlib.zstdCompressSync(text.subarray(0, 1000))
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7])
    const others = [
      Buffer.alloc(0),
      Buffer.concat([packed, packed]),
      Buffer.concat([packed, Buffer.alloc(1)]),
      Buffer.concat([skippable, packed]),
      zlib.zstdCompressSync(text),
      await withoutContentSize(text.subarray(0, 1000), { [ZSTD_c_windowLog]: 24 }),
    ]
    for (const bytes of others) expect(decompressInKeptContext(bytes, LIMIT)).toBeNull()
    for (let length = 0; length < packed.length; length++) {
      expect(decompressInKeptContext(packed.subarray(0, length), LIMIT)).toBeNull()
    }
    expect(decompressInKeptContext(packed, 999)).toBeNull()
    expect(decompressInKeptContext(await withoutContentSize(text.subarray(0, 1000)), 999)).toBeNull()
    expect(decompressInKeptContext(packed, 1000)).toEqual(text.subarray(0, 1000))
  })

  test('whatever came before, wrong input too, the outcome is that of a context of its own', async () => {
    const inputs = [text.subarray(0, 700), text.subarray(0, 40_000), Buffer.alloc(200_000)]
    const frames: { input: Buffer; bytes: Buffer }[] = inputs.flatMap((input) => [
      { input, bytes: zlib.zstdCompressSync(input) },
      { input, bytes: zlib.zstdCompressSync(input, { params: { [ZSTD_c_checksumFlag]: 1 } }) },
    ])
    for (const input of inputs) frames.push({ input, bytes: await withoutContentSize(input) })
    const outcome = (decompress: () => Buffer): Buffer | 'refused' => {
      try {
        return decompress()
      } catch {
        return 'refused'
      }
    }
    fc.assert(
      fc.property(
        fc.constantFrom(...frames),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 }),
        ({ input, bytes }, changes) => {
          const wrong = Buffer.from(bytes)
          for (const [position, change] of changes) wrong[position % Math.min(wrong.length, 4000)]! ^= change
          const expected = outcome(() => zlib.zstdDecompressSync(wrong, { maxOutputLength: LIMIT }))
          const got = outcome(() => codecOf('zstd').decompress(wrong, LIMIT))
          expect(typeof got === 'string' || typeof expected === 'string' ? got === expected : got.equals(expected)).toBe(true)
          expect(decompressInKeptContext(bytes, LIMIT)?.equals(input)).toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })
})
