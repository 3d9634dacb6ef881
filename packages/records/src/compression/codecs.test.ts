import fc from 'fast-check'
import { randomBytes } from 'node:crypto'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { lz4Frame, storedBlock } from '../../test/lz4-frames.ts'
import { CorruptCompressionError, DecompressionLimitError, UnsupportedCompressionError } from '../errors.ts'
import { codecOf } from './codecs.ts'
import { encodeLz4Frame, encodeLz4FrameHigh } from './lz4-frame.ts'
import { allowNativeCodecs, nativeLz4, nativeSnappy, SNAPPY_OPTIONS } from './natives.ts'
import { xxh32 } from './xxh32.ts'

afterEach(() => allowNativeCodecs(true))

const TYPES = ['gzip', 'snappy', 'lz4', 'zstd'] as const
const LIMIT = 16 * 1024 * 1024

const text = Buffer.from(Array.from({ length: 20_000 }, (_, i) => `${i % 97}:${(i * 7919) % 1009} of the log\n`).join(''))
const INPUTS: readonly [string, Buffer][] = [
  ['one byte', Buffer.from('x')],
  ['twelve bytes', Buffer.from('abcabcabcabc')],
  ['thirteen bytes', Buffer.from('abcabcabcabca')],
  ['short text', Buffer.from('the quick brown fox jumps over the lazy dog')],
  ['long text', text],
  ['zeros', Buffer.alloc(300_000)],
  ['noise', randomBytes(150_000)],
  ['noise then its copy', Buffer.concat([text.subarray(0, 40_000), text.subarray(0, 40_000), randomBytes(70_000)])],
  ['just a block of snappy', Buffer.alloc(32 * 1024, 'ab')],
  ['a block of LZ4 and a byte', Buffer.alloc(64 * 1024 + 1, 'abc')],
  ['repeats of every short distance', Buffer.concat(Array.from({ length: 80 }, (_, i) => Buffer.alloc(300, randomBytes(i + 1))))],
]

test('the native libraries are there to be tested', () => {
  expect([nativeLz4(), nativeSnappy()]).not.toContain(null)
  allowNativeCodecs(false)
  expect([nativeLz4(), nativeSnappy()]).toEqual([null, null])
})

describe.each(TYPES)('%s', (type) => {
  const codec = codecOf(type)

  test.each(INPUTS)('%s survives, whichever way it is packed and unpacked', async (_name, input) => {
    const packed = [codec.compress(input), await codec.compressAsync(input)]
    if (type === 'lz4' || type === 'snappy') {
      allowNativeCodecs(false)
      packed.push(codec.compress(input), await codec.compressAsync(input))
    }
    for (const native of [true, false]) {
      allowNativeCodecs(native)
      for (const bytes of packed) {
        expect(codec.decompress(bytes, LIMIT).equals(input)).toBe(true)
        expect((await codec.decompressAsync(bytes, LIMIT)).equals(input)).toBe(true)
        expect(codec.decompress(bytes, input.length).equals(input)).toBe(true)
      }
    }
  })

  test.each([true, false])('more than the limit is refused before it is there; native: %s', async (native) => {
    const bombs = [codec.compress(Buffer.alloc(8 * 1024 * 1024)), codec.compress(Buffer.alloc(1001))]
    allowNativeCodecs(native)
    for (const bomb of bombs) {
      const before = process.memoryUsage()
      expect(() => codec.decompress(bomb, 1000)).toThrow(DecompressionLimitError)
      await expect(codec.decompressAsync(bomb, 1000)).rejects.toThrow(DecompressionLimitError)
      const after = process.memoryUsage()
      expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(4 * 1024 * 1024)
    }
    expect(() => codec.decompress(bombs[0]!, 8 * 1024 * 1024 - 1)).toThrow(
      expect.objectContaining({ code: 'DECOMPRESSION_LIMIT_EXCEEDED', limitBytes: 8 * 1024 * 1024 - 1 }),
    )
    expect(codec.decompress(bombs[0]!, 8 * 1024 * 1024)).toHaveLength(8 * 1024 * 1024)
  })

  test.each([true, false])('every truncation is an error; native: %s', async (native) => {
    const packed = codec.compress(text.subarray(0, 3000))
    allowNativeCodecs(native)
    for (let length = 0; length < packed.length; length++) {
      // Snappy's framing has no end mark: a cut between blocks cannot be seen, and the CRC of the batch is there for it.
      if (type === 'snappy' && length === 16) continue
      expect(() => codec.decompress(packed.subarray(0, length), LIMIT), `cut at ${length}`).toThrow(CorruptCompressionError)
    }
    await expect(codec.decompressAsync(packed.subarray(0, packed.length - 1), LIMIT)).rejects.toThrow(CorruptCompressionError)
  })

  test('wrong levels are refused by name', () => {
    const wrong = { gzip: [0, 10, -2, 1.5], snappy: [1], lz4: [0, 18, 2.5], zstd: [23, -131_073, 1.5] }[type]
    for (const level of wrong) {
      expect(() => codec.compress(text, level)).toThrow(
        expect.objectContaining({ code: 'INVALID_CONFIG', option: 'compressionLevel' }),
      )
    }
  })
})

test('levels have their effect', () => {
  for (const [type, low, high] of [
    ['gzip', 1, 9],
    ['zstd', -50, 19],
    ['lz4', 9, 12],
    ['lz4', 2, 12],
  ] as const) {
    expect(codecOf(type).compress(text, high).length).toBeLessThan(codecOf(type).compress(text, low).length)
  }
})

test.each([1, 2, 5, 8, 10, 13, 17])('lz4 at level %i survives', async (level) => {
  for (const [, input] of INPUTS) {
    const packed = codecOf('lz4').compress(input, level)
    expect(await codecOf('lz4').compressAsync(input, level)).toEqual(packed)
    expect(codecOf('lz4').decompress(packed, LIMIT).equals(input)).toBe(true)
    expect((await nativeLz4()!.decompressFrame(packed)).equals(input)).toBe(true)
  }
})

test('levels reach the async forms', async () => {
  expect(await codecOf('gzip').compressAsync(text, 1)).toEqual(codecOf('gzip').compress(text, 1))
  expect(await codecOf('zstd').compressAsync(text, 19)).toEqual(codecOf('zstd').compress(text, 19))
  await expect(codecOf('lz4').compressAsync(text, 18)).rejects.toMatchObject({ option: 'compressionLevel' })
  await expect(codecOf('snappy').compressAsync(text, 3)).rejects.toMatchObject({ option: 'compressionLevel' })
})

test('zstd cannot be written where Node has none, and says so', () => {
  allowNativeCodecs(false)
  expect(() => codecOf('zstd').compress(text)).toThrow(UnsupportedCompressionError)
})

describe('lying headers', () => {
  const snappy = codecOf('snappy')

  test('snappy: a length that the bytes cannot make is not allocated', () => {
    for (const stated of [[0xff, 0xff, 0xff, 0xff, 0x07], [0x80, 0x80, 0x80, 0x01], [0x40]]) {
      expect(() => snappy.decompress(Buffer.from([...stated, 0, 0x61]), LIMIT)).toThrow(CorruptCompressionError)
    }
  })

  test('snappy: unframed blocks are read', () => {
    const framed = snappy.compress(text.subarray(0, 20_000))
    expect(snappy.decompress(framed.subarray(20), LIMIT)).toEqual(text.subarray(0, 20_000))
  })

  test('zstd: a window or a content size beyond the limit, without native code', () => {
    allowNativeCodecs(false)
    const zstd = codecOf('zstd')
    const magic = [0x28, 0xb5, 0x2f, 0xfd]
    const hugeWindow = Buffer.from([...magic, 0x00, 0xf8, 0x01, 0x00, 0x00, 0, 0, 0])
    const hugeContent = Buffer.from([...magic, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0x01, 0, 0])
    for (const bytes of [hugeWindow, hugeContent]) expect(() => zstd.decompress(bytes, LIMIT)).toThrow(DecompressionLimitError)
  })

  test('gzip: the size it states is only a hint', async () => {
    const packed = gzipSync(text)
    packed.writeUInt32LE(0xffff_ffff, packed.length - 4)
    await expect(codecOf('gzip').decompressAsync(packed, LIMIT)).rejects.toThrow(CorruptCompressionError)
  })

  test('zstd: a size in the header is obeyed', () => {
    expect(codecOf('zstd').decompress(zstdCompressSync(text), LIMIT)).toEqual(text)
  })
})

describe('lz4 frames of other writers', () => {
  const lz4 = codecOf('lz4')
  const content = Buffer.from('hello, hello, hello')

  test.each([0x20, 0x24, 0x28, 0x30, 0x3c, 0x00])('flags %i', async (flags) => {
    const bytes = lz4Frame(flags, 4, [storedBlock(content.subarray(0, 7)), storedBlock(content.subarray(7))], content)
    expect(lz4.decompress(bytes, 100)).toEqual(content)
    expect(await lz4.decompressAsync(bytes, 100)).toEqual(content)
  })

  test('blocks that refer to the one before, if the frame says so', () => {
    // "hello" as literals; then a match of 5 at distance 5 and the literals that a block must end with
    const second = Buffer.from([9, 0, 0, 0, 0x01, 5, 0, 0x50, ...Buffer.from('world')])
    const expected = Buffer.from('hellohelloworld')
    expect(lz4.decompress(lz4Frame(0x00, 4, [storedBlock(Buffer.from('hello')), second], expected), 100)).toEqual(expected)
    expect(() => lz4.decompress(lz4Frame(0x20, 4, [storedBlock(Buffer.from('hello')), second], expected), 100)).toThrow(
      CorruptCompressionError,
    )
  })

  test('wrong checksums, of header, block and content', () => {
    const good = lz4Frame(0x3c, 4, [storedBlock(content)], content)
    for (const position of [14, 19 + content.length, good.length - 1]) {
      const bad = Buffer.from(good)
      bad[position]! ^= 1
      expect(() => lz4.decompress(bad, 100), `byte ${position}`).toThrow(/checksum/)
    }
  })

  test.each([
    ['not a frame', Buffer.from('not a frame at all')],
    ['another version', lz4Frame(0x80, 4, [], Buffer.alloc(0))],
    ['a dictionary', lz4Frame(0x21, 4, [], Buffer.alloc(0))],
    ['a block size code that is none', lz4Frame(0x20, 3, [], Buffer.alloc(0))],
    ['a block larger than its frame allows', lz4Frame(0x20, 4, [storedBlock(Buffer.alloc(65_537))], Buffer.alloc(0))],
  ])('%s is refused', (_name, bytes) => {
    expect(() => lz4.decompress(bytes, LIMIT)).toThrow(CorruptCompressionError)
  })

  test('xxh32 is the published one', () => {
    const sum = (value: string): number => xxh32(Buffer.from(value), 0, value.length)
    expect([sum(''), sum('a'), sum('abc'), sum('Nobody inspects the spammish repetition')]).toEqual([
      0x02cc5d05, 0x550d7456, 0x32d153ff, 0xe2293b2f,
    ])
  })
})

test('any bytes survive our own encoders, read by the native decoders', async () => {
  const arbitrary = fc.array(
    fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.constant(new Uint8Array(70)), fc.constant(Buffer.from('abcd'.repeat(9)))),
    { maxLength: 30 },
  )
  await fc.assert(
    fc.asyncProperty(arbitrary, async (parts) => {
      const input = Buffer.concat(parts)
      for (const frame of [encodeLz4Frame(input), encodeLz4FrameHigh(input, 1), encodeLz4FrameHigh(input, 7)]) {
        expect((await nativeLz4()!.decompressFrame(frame)).equals(input)).toBe(true)
      }
      allowNativeCodecs(false)
      const packed = codecOf('snappy').compress(input)
      allowNativeCodecs(true)
      const unpacked = input.length === 0 ? input : await nativeSnappy()!.uncompress(packed.subarray(20), SNAPPY_OPTIONS)
      expect(unpacked.equals(input)).toBe(true)
    }),
  )
})
