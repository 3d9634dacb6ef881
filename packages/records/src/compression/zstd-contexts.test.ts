import fc from 'fast-check'
import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { CorruptCompressionError, DecompressionLimitError } from '../errors.ts'
import { KEPT_ZSTD_BYTES } from '../limits.ts'
import { codecOf } from './codecs.ts'
import { allowNativeCodecs } from './natives.ts'
import { compressInKeptContext, decompressInKeptContext } from './zstd-contexts.ts'
import { readZstdFrame, splitZstdFrames } from './zstd-frame.ts'

const LIMIT = 16 * 1024 * 1024
const { ZSTD_c_compressionLevel, ZSTD_c_checksumFlag, ZSTD_c_windowLog } = zlib.constants
const text = Buffer.from(Array.from({ length: 90_000 }, (_, i) => `${i % 97}:${(i * 7919) % 1009} of the log\n`).join(''))
const sizes = [1, 2, 100, 1000, 10_000, 16_384, 131_072, 131_073, KEPT_ZSTD_BYTES]

/** As Java writes it: a stream, which does not know its size when it begins. */
async function withoutContentSize(input: Buffer, params: Record<number, number> = {}): Promise<Buffer> {
  return promisify<Buffer, zlib.ZstdOptions, Buffer>(zlib.zstdCompress)(input, { params })
}

function decompressKept(input: Buffer, maxBytes: number): Buffer | null {
  const frame = readZstdFrame(input)
  return frame === null ? null : decompressInKeptContext(input, frame, maxBytes)
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
      expect(decompressKept(stated, LIMIT)?.equals(input)).toBe(true)
      expect(decompressKept(stated, size)?.equals(input)).toBe(true)
      const unstated = await withoutContentSize(input, params)
      expect(decompressKept(unstated, LIMIT)?.equals(input)).toBe(true)
    }
  })

  test('earlier results do not change', () => {
    const first = decompressKept(zlib.zstdCompressSync(text.subarray(0, 1000)), LIMIT)!
    decompressKept(zlib.zstdCompressSync(text.subarray(1000, 9000)), LIMIT)
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
    for (const bytes of others) expect(decompressKept(bytes, LIMIT)).toBeNull()
    for (let length = 0; length < packed.length; length++) {
      expect(decompressKept(packed.subarray(0, length), LIMIT)).toBeNull()
    }
    expect(decompressKept(packed, 999)).toBeNull()
    expect(decompressKept(await withoutContentSize(text.subarray(0, 1000)), 999)).toBeNull()
    expect(decompressKept(packed, 1000)).toEqual(text.subarray(0, 1000))
  })

  test('whatever came before, wrong input too, the outcome is that of a context of its own', async () => {
    const inputs = [text.subarray(0, 700), text.subarray(0, 40_000), Buffer.alloc(200_000)]
    const frames: { input: Buffer; bytes: Buffer }[] = inputs.flatMap((input) => [
      { input, bytes: zlib.zstdCompressSync(input) },
      { input, bytes: zlib.zstdCompressSync(input, { params: { [ZSTD_c_checksumFlag]: 1 } }) },
    ])
    for (const input of inputs) frames.push({ input, bytes: await withoutContentSize(input) })
    // No frame may ask for a larger window than the codec allows with that limit.
    const limits = { maxOutputLength: LIMIT, params: { [zlib.constants.ZSTD_d_windowLogMax]: Math.log2(LIMIT) } }
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
          // Of several frames, which a change can make of one, node:zlib leaves out all but the first.
          const frames = splitZstdFrames(wrong)
          const expected = outcome(() => Buffer.concat(frames.map((frame) => zlib.zstdDecompressSync(frame, limits))))
          const got = outcome(() => codecOf('zstd').decompress(wrong, LIMIT))
          expect(typeof got === 'string' || typeof expected === 'string' ? got === expected : got.equals(expected)).toBe(true)
          expect(decompressKept(bytes, LIMIT)?.equals(input)).toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('several frames', () => {
  const zstd = codecOf('zstd')
  const skippable = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 7, 8, 9])
  const parts = [text.subarray(0, 400_000), Buffer.alloc(0), text.subarray(400_000, 400_100), text.subarray(400_100)]

  afterEach(() => allowNativeCodecs(true))

  test.each([true, false])('are read as one, skippable ones passed over; by node:zlib: %s', async (native) => {
    const packed = Buffer.concat([skippable, ...parts.map((part) => zlib.zstdCompressSync(part)), skippable])
    allowNativeCodecs(native)
    expect(zstd.decompress(packed, text.length).equals(text)).toBe(true)
    expect((await zstd.decompressAsync(packed, text.length)).equals(text)).toBe(true)
    expect(() => zstd.decompress(packed, text.length - 1)).toThrow(DecompressionLimitError)
    await expect(zstd.decompressAsync(packed, text.length - 1)).rejects.toThrow(DecompressionLimitError)
  })

  test('what follows a full output may be empty, and nothing else', async () => {
    const first = zlib.zstdCompressSync(text)
    const nothing = zlib.zstdCompressSync(Buffer.alloc(0))
    const more = Buffer.concat([first, zlib.zstdCompressSync(Buffer.from('x'))])
    expect(zstd.decompress(Buffer.concat([first, nothing]), text.length).equals(text)).toBe(true)
    expect(() => zstd.decompress(more, text.length)).toThrow(DecompressionLimitError)
    await expect(zstd.decompressAsync(more, text.length)).rejects.toThrow(DecompressionLimitError)
  })

  test('what is no frame is not passed over in silence', async () => {
    for (const input of [text, text.subarray(0, 1000)]) {
      const packed = zlib.zstdCompressSync(input)
      for (const rest of [
        packed.subarray(0, packed.length - 1),
        Buffer.from('more'),
        Buffer.alloc(20),
        skippable.subarray(0, 9),
      ]) {
        const wrong = Buffer.concat([packed, rest])
        expect(() => zstd.decompress(wrong, LIMIT)).toThrow(CorruptCompressionError)
        await expect(zstd.decompressAsync(wrong, LIMIT)).rejects.toThrow(CorruptCompressionError)
      }
    }
    expect(() => zstd.decompress(skippable, LIMIT)).toThrow(CorruptCompressionError)
  })
})

describe('where node:zlib is another inside', () => {
  afterEach(() => {
    vi.doUnmock('node:zlib')
    vi.resetModules()
  })

  class WithoutHandle {
    readonly _handle = null
  }
  class WithoutMethod {
    readonly _handle = { close: () => {} }
    readonly on = () => this
  }
  class OfAnotherMind extends WithoutMethod {
    _processChunk(): undefined {}
  }

  test.each([WithoutHandle, WithoutMethod, OfAnotherMind])('its own calls serve: %o', async (Engine) => {
    vi.doMock('node:zlib', async (original) => ({ ...(await original()), ZstdCompress: Engine, ZstdDecompress: Engine }))
    vi.resetModules()
    const fresh = await import('./codecs.ts')
    const zstd = fresh.codecOf('zstd')
    for (const size of [0, 100, 10_000]) {
      const packed = zstd.compress(text.subarray(0, size))
      expect(packed.equals(zlib.zstdCompressSync(text.subarray(0, size)))).toBe(true)
      expect(zstd.decompress(packed, size).equals(text.subarray(0, size))).toBe(true)
    }
  })
})
