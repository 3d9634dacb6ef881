import fc from 'fast-check'
import { ownMemoryOf } from '@millrace/protocol/internal'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { INDEPENDENT, lz4Frame, packedBlock, storedBlock } from '../../test/lz4-frames.ts'
import { CorruptCompressionError, DecompressionLimitError } from '../errors.ts'
import { LZ4_BLOCK_WASM } from '../generated/lz4-block-wasm.ts'
import { decodeLz4Frame, encodeLz4Frame, encodeLz4FrameHigh } from './lz4-frame.ts'
import { LZ4_CORRUPT, LZ4_FULL, lz4BlockBound, lz4Memory } from './lz4-wasm.ts'
import { nativeLz4 } from './natives.ts'

const NOTHING = Buffer.alloc(0)
const LIMIT = 4 * 1024 * 1024

/** Bytes without a pattern, the same for the same arguments (mulberry32). */
function noise(length: number, seed: number = 0): Buffer {
  let state = Math.imul(seed + 1, 0x85eb_ca6b)
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0; at < length; at++) {
    state = (state + 0x6d2b_79f5) | 0
    const mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    bytes[at] = (mixed ^ (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed))) >>> 16
  }
  return bytes
}

/** A literal run, then a match: where it begins before its output, and how long it is. */
interface Sequence {
  readonly literals: Uint8Array
  readonly distance: number
  readonly length: number
}

/** The block format as its description has it (lz4_Block_format.md), a byte at a time; null for what is none, or makes more than `limit`. */
function referenceDecode(block: Buffer, limit: number, history: Buffer = NOTHING): Buffer | null {
  const output = [...history.subarray(-0xffff)]
  const before = output.length
  let at = 0
  const lengthFrom = (nibble: number): number => {
    let length = nibble
    for (let more = 255; nibble === 15 && more === 255; length += more) more = block[at++] ?? Number.NaN
    return length
  }
  for (;;) {
    const token = block[at++] ?? Number.NaN
    const literals = lengthFrom(token >>> 4)
    if (Number.isNaN(token + literals) || literals > block.length - at || literals > limit + before - output.length) return null
    for (const end = at + literals; at < end; at++) output.push(block[at]!)
    if (at === block.length && literals >= 0 && token >= 0) return Buffer.from(output.slice(before))
    const distance = (block[at++] ?? Number.NaN) + (block[at++] ?? Number.NaN) * 256
    const length = lengthFrom(token & 15) + 4
    if (!(distance > 0 && distance <= output.length && length <= limit + before - output.length)) return null
    for (let i = 0; i < length; i++) output.push(output[output.length - distance]!)
  }
}

/** The block of these sequences and the literals that end it; distances that reach too far are made to fit. */
function assemble(sequences: readonly Sequence[], last: Uint8Array, historyBytes: number = 0): Buffer {
  const bytes: number[] = []
  let made = historyBytes
  const more = (length: number): void => {
    if (length < 15) return
    for (let rest = length - 15; ; rest -= 255) {
      bytes.push(Math.min(255, rest))
      if (rest < 255) return
    }
  }
  for (const { literals, distance, length } of sequences) {
    made += literals.length
    if (made === 0) continue
    const reach = 1 + ((distance - 1) % Math.min(0xffff, made))
    bytes.push((Math.min(15, literals.length) << 4) | Math.min(15, length - 4))
    more(literals.length)
    bytes.push(...literals, reach & 0xff, reach >>> 8)
    more(length - 4)
    made += length
  }
  bytes.push(Math.min(15, last.length) << 4)
  more(last.length)
  return Buffer.from([...bytes, ...last])
}

function decode(block: Buffer, limit: number, history: Buffer = NOTHING): Buffer | null {
  const memory = lz4Memory()
  const length = memory.decode(block, 0, block.length, limit, history, history.length)
  if (length < 0) return null
  const output = Buffer.alloc(length)
  memory.take(output, 0, length)
  return output
}

/** Whether both decoders make the same of it, or neither makes anything. */
function agree(block: Buffer, limit: number, history: Buffer = NOTHING): boolean {
  const expected = referenceDecode(block, limit, history)
  const got = decode(block, limit, history)
  return expected === null || got === null ? got === expected : got.equals(expected)
}

interface Block {
  readonly stored: boolean
  readonly bytes: Buffer
}

/** The blocks of a frame without checksums. */
function blocksOf(frame: Buffer): Block[] {
  const blocks: Block[] = []
  for (let at = 7 + (frame[4]! & 8); frame.readUInt32LE(at) !== 0;) {
    const size = frame.readInt32LE(at)
    const bytes = frame.subarray(at + 4, at + 4 + (size & 0x7fff_ffff))
    blocks.push({ stored: size < 0, bytes })
    at += 4 + bytes.length
  }
  return blocks
}

function packedBlocksOf(frame: Buffer): Buffer[] {
  return blocksOf(frame).flatMap(({ stored, bytes }) => (stored ? [] : [bytes]))
}

const runs = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 20 }) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 14, maxLength: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 250, max: 700 }).map((length) => noise(length)) },
)
const sequences = fc.array(
  fc.record({
    literals: runs,
    distance: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 0xffff })),
    length: fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 4, max: 24 }) },
      { weight: 1, arbitrary: fc.integer({ min: 262, max: 290 }) },
      { weight: 1, arbitrary: fc.integer({ min: 4, max: 3000 }) },
    ),
  }),
  { maxLength: 30 },
)
const texts = fc
  .array(
    fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.constant(new Uint8Array(70)), fc.constant(Buffer.from('abcd'.repeat(9)))),
    {
      minLength: 1,
      maxLength: 60,
    },
  )
  .map((parts) => Buffer.concat(parts))

describe('beside a plain decoder', () => {
  test('every distance and length of a match, after every run of literals, at the end of the output and before', () => {
    for (let distance = 1; distance <= 40; distance++) {
      for (const length of [4, 5, 15, 16, 17, 18, 19, 20, 31, 32, 33, 100, 270, 273, 274, 275, 529, 530]) {
        const first = { literals: noise(distance), distance, length }
        for (const tail of [5, 14, 15, 16, 40]) {
          const block = assemble([first, { literals: noise(tail % 4), distance: distance + 1, length: 7 }], noise(tail))
          const total = distance + length + (tail % 4) + 7 + tail
          for (const limit of [total, total - 1, total + 1, total + 15, total + 100, distance + length])
            expect(agree(block, limit)).toBe(true)
        }
      }
    }
    for (let literals = 0; literals <= 15; literals++) {
      for (let length = 4; length <= 20; length++) {
        const parts = [
          { literals: noise(30), distance: 20, length: 4 },
          { literals: noise(literals), distance: 16 + (length % 3), length },
        ]
        const block = assemble(parts, noise(40))
        for (let limit = 34; limit < 80; limit++) expect(agree(block, limit)).toBe(true)
      }
    }
    for (let literals = 0; literals < 600; literals++) {
      const block = assemble([{ literals: noise(literals), distance: 3, length: 9 }], noise(literals % 50))
      for (const limit of [literals, literals + 9 + (literals % 50), LIMIT]) expect(agree(block, limit)).toBe(true)
    }
  })

  test('random sequences, whatever the limit', () => {
    fc.assert(
      fc.property(sequences, runs, fc.integer({ min: 0, max: 20_000 }), (parts, last, limit) => {
        const block = assemble(parts, last)
        expect(agree(block, LIMIT)).toBe(true)
        expect(agree(block, limit)).toBe(true)
        const exact = referenceDecode(block, LIMIT)!.length
        for (const bytes of [exact, exact - 1, exact + 1]) if (bytes >= 0) expect(agree(block, bytes)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  test('blocks that reach back to what was before them', () => {
    fc.assert(
      fc.property(sequences, runs, fc.integer({ min: 0, max: 70_000 }), (parts, last, bytes) => {
        const history = noise(bytes)
        expect(agree(assemble(parts, last, bytes), LIMIT, history)).toBe(true)
        expect(agree(assemble(parts, last, bytes + 1), LIMIT, history)).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  test('changed, cut and lengthened blocks', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 })
    fc.assert(
      fc.property(sequences, runs, changes, fc.nat(), fc.uint8Array({ maxLength: 20 }), (parts, last, bytes, cut, extra) => {
        const block = assemble(parts, last)
        for (const [at, value] of bytes) block[at % block.length] = value
        expect(agree(block, 5_000)).toBe(true)
        expect(agree(block.subarray(0, cut % block.length), 5_000)).toBe(true)
        expect(agree(Buffer.concat([block, extra]), 5_000)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(2_000), (bytes, limit) => {
        expect(agree(Buffer.from(bytes), limit)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('what our encoders and the native one write', async () => {
    await fc.assert(
      fc.asyncProperty(texts, async (input) => {
        const ours = [encodeLz4Frame(input), encodeLz4FrameHigh(input, 1), encodeLz4FrameHigh(input, 8)]
        const frames = [...ours, await nativeLz4()!.compressFrame(input)]
        for (const block of frames.flatMap(packedBlocksOf)) {
          expect(decode(block, LIMIT)!.equals(input)).toBe(true)
          for (const limit of [input.length, input.length - 1, input.length >>> 1]) expect(agree(block, limit)).toBe(true)
        }
        for (const frame of frames) expect(decodeLz4Frame(frame, input.length).equals(input)).toBe(true)
      }),
      { numRuns: 100 },
    )
  })
})

describe('the encoder', () => {
  /** The frame of the input, which the native decoder and ours read; and its blocks, unless they are stored, end as the format wants it. */
  async function encodeAndCheck(input: Buffer): Promise<Buffer> {
    const frame = encodeLz4Frame(input)
    expect((await nativeLz4()!.decompressFrame(frame)).equals(input)).toBe(true)
    expect(decodeLz4Frame(frame, input.length).equals(input)).toBe(true)
    for (const block of packedBlocksOf(frame)) expect(endsWell(block)).toBe(true)
    return frame
  }

  /** Whether the last five bytes are literals and the last match begins twelve before the end (lz4_Block_format.md, "End of block restrictions"). */
  function endsWell(block: Buffer): boolean {
    let at = 0
    let lastMatch = 0
    const lengthFrom = (nibble: number): number => {
      let length = nibble
      for (let more = 255; nibble === 15 && more === 255; length += more) more = block[at++]!
      return length
    }
    for (;;) {
      const token = block[at++]!
      const literals = lengthFrom(token >>> 4)
      at += literals
      if (at === block.length) return lastMatch === 0 || (literals >= 5 && lastMatch + literals >= 12)
      at += 2
      lastMatch = lengthFrom(token & 15) + 4
    }
  }

  test('every length and period of short inputs', async () => {
    for (let length = 0; length < 150; length++) {
      for (const period of [1, 2, 3, 4, 5, 7, 8, 11, 13, 16, 17, 30, 60, 200]) {
        const input = Buffer.alloc(length, noise(period))
        const [block] = packedBlocksOf(await encodeAndCheck(input))
        expect(block === undefined ? input : referenceDecode(block, length)).toEqual(input)
      }
    }
  })

  test('what repeats, at lengths where a token goes on, with literals where it does', async () => {
    for (const length of [4, 5, 17, 18, 19, 20, 272, 273, 274, 275, 528, 529, 530]) {
      for (const literals of [1, 14, 15, 16, 17, 269, 270, 271, 524, 525, 526]) {
        const repeated = noise(length, 1)
        const input = Buffer.concat([repeated, noise(literals, 2), repeated, noise(literals, 3), repeated, noise(20, 4)])
        const frame = await encodeAndCheck(input)
        expect(frame.length).toBeLessThan(input.length + 16)
      }
    }
  })

  test.each([65_535, 65_536, 65_537, 262_144, 262_145, 1_048_576, 4_194_304, 4_194_305, 9_000_000])(
    '%i bytes',
    async (length) => {
      const lines = Buffer.from(
        Array.from({ length: 40_000 }, (_, i) => `${i % 89}:${Math.imul(i, 7919) % 1009} of the log\n`).join(''),
      )
      const text = await encodeAndCheck(Buffer.alloc(length, lines))
      expect(text.length).toBeLessThan(length / 3)
      expect(blocksOf(text)).toHaveLength(Math.ceil(length / (4 * 1024 * 1024)))
      const hard = await encodeAndCheck(noise(length))
      expect(hard.length).toBeLessThan(length + 100)
    },
  )

  test.each([65_534, 65_535, 65_536, 65_537])('a match %i bytes back', async (distance) => {
    const repeated = noise(300, 2)
    const input = Buffer.concat([repeated, noise(distance - repeated.length), repeated, noise(20, 1)])
    const { length } = await encodeAndCheck(input)

    if (distance > 65_535) expect(length).toBeGreaterThanOrEqual(input.length)
    else expect(length).toBeLessThan(input.length)
  })

  test('it packs as well as the native one, but for a fiftieth', async () => {
    for (const [count, bytes] of [
      [10, 100],
      [160, 100],
      [16, 1024],
      [640, 100],
      [1000, 1024],
    ] as const) {
      const words = ['order', 'payment', 'parcel', 'driver', 'depot', 'returned', 'late', 'bank']
      const records = Array.from({ length: count }, (_, id) => {
        const random = noise(bytes, id)
        const head = `{"id":${random.readUInt32LE(0)},"seq":${id},"note":"`
        return (head + Array.from(random, (byte) => words[byte % 8]! + (byte < 64 ? byte : '')).join(' ')).slice(0, bytes)
      })
      const input = Buffer.from(records.join(''))
      expect(encodeLz4Frame(input).length).toBeLessThan((await nativeLz4()!.compressFrame(input)).length * 1.02)
    }
  })

  test('any bytes', async () => {
    const parts = fc.array(fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 300 })), { maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(parts, fc.boolean(), async (parts, large) => {
        const input = Buffer.concat([large ? noise(70_000) : NOTHING, ...parts.map(([seed, length]) => noise(length, seed))])
        const [block] = packedBlocksOf(await encodeAndCheck(input))
        expect(block === undefined || large || referenceDecode(block, input.length)!.equals(input)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

describe('what it touches', () => {
  interface Exports {
    readonly memory: { readonly buffer: ArrayBuffer }
    readonly INPUT: { readonly value: number }
    decodeBlock(start: number, end: number, position: number, limit: number, dictionary: number): number
    encodeBlock(start: number, end: number, target: number): number
  }
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: {
      Module: new (bytes: Uint8Array) => object
      Instance: new (module: object) => { readonly exports: unknown }
    }
  }
  const module = new WebAssembly.Module(Buffer.from(LZ4_BLOCK_WASM, 'base64'))
  const CANARY = 0xa5

  test('nothing but the output, whatever the block, and no more of that than its limit', () => {
    const exports = new WebAssembly.Instance(module).exports as Exports
    const bytes = Buffer.from(exports.memory.buffer)
    const input = exports.INPUT.value
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 2 })
    fc.assert(
      fc.property(sequences, runs, changes, fc.nat(3_000), fc.nat(100), (parts, last, changed, limit, reach) => {
        const block = assemble(parts, last, reach).subarray(0, 100_000)
        for (const [at, value] of changed) block[at % block.length] = value
        const position = input + block.length + 200
        bytes.fill(CANARY, input)
        block.copy(bytes, input)
        const before = Buffer.from(bytes)
        const length = exports.decodeBlock(input, input + block.length, position, position + limit, position - reach)
        expect(length).toBeLessThanOrEqual(limit)
        expect(bytes.length).toBe(before.length) // it did not grow
        expect(bytes.subarray(0, position).equals(before.subarray(0, position))).toBe(true)
        expect(bytes.subarray(position + limit).equals(before.subarray(position + limit))).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('the encoder: nothing but its table and its output', () => {
    const exports = new WebAssembly.Instance(module).exports as Exports
    const bytes = Buffer.from(exports.memory.buffer)
    const input = exports.INPUT.value
    const tables = Buffer.from(bytes.subarray(0, 512))
    fc.assert(
      fc.property(texts, fc.boolean(), (text, large) => {
        const plain = large ? Buffer.concat([noise(66_000), text]) : text
        const target = input + plain.length
        const end = target + lz4BlockBound(plain.length) + 32
        bytes.fill(CANARY, input)
        plain.copy(bytes, input)
        const length = exports.encodeBlock(input, target, target)
        expect(length).toBeLessThanOrEqual(lz4BlockBound(plain.length))
        expect(referenceDecode(Buffer.from(bytes.subarray(target, target + length)), plain.length)!.equals(plain)).toBe(true)
        expect(bytes.subarray(0, 512).equals(tables)).toBe(true)
        expect(bytes.subarray(input, target).equals(plain)).toBe(true)
        expect(bytes.subarray(end).every((byte) => byte === CANARY)).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  test('no more memory than the output takes, and half of what there was', async () => {
    for (const made of [1_000, 300_000, 3_800_000]) {
      const exports = new WebAssembly.Instance(module).exports as Exports
      const input = exports.INPUT.value
      const block = packedBlocksOf(await nativeLz4()!.compressFrame(Buffer.alloc(made)))[0]!
      block.copy(Buffer.from(exports.memory.buffer), input)
      const end = input + block.length
      const atFirst = exports.memory.buffer.byteLength
      expect(exports.decodeBlock(input, end, end, end + 100, end)).toBe(LZ4_FULL)
      expect(exports.memory.buffer.byteLength).toBe(atFirst)
      expect(exports.decodeBlock(input, end, end, end + made - 1, end)).toBe(LZ4_FULL)
      expect(exports.decodeBlock(input, end, end, end + made, end)).toBe(made)
      const needed = Math.ceil((end + made + 32) / 65_536) * 65_536
      expect(exports.memory.buffer.byteLength).toBeLessThanOrEqual(made === 1_000 ? atFirst : Math.max(needed, atFirst * 1.5))
    }
  })

  test('a wrong block and one that is too large are told apart', () => {
    const block = assemble([{ literals: noise(10), distance: 4, length: 20 }], noise(5))
    const decodeTo = (bytes: Buffer, limit: number): number => lz4Memory().decode(bytes, 0, bytes.length, limit, NOTHING, 0)
    expect([decodeTo(block, 35), decodeTo(block, 34), decodeTo(block, 29), decodeTo(block, 9)]).toEqual([
      35,
      LZ4_FULL,
      LZ4_FULL,
      LZ4_FULL,
    ])
    expect(decodeTo(block.subarray(0, block.length - 1), 35)).toBe(LZ4_CORRUPT)
    // Literals that are not there, though there is no room for them either.
    expect(decodeTo(Buffer.from([0xf0, 255, 255, 0, 1, 2, 3]), 100)).toBe(LZ4_CORRUPT)
    // Half a distance, though what lies behind the input would make it a whole one, whose match has no room.
    expect(decodeTo(Buffer.from([0x14, 97, 1, 0]), 1)).toBe(LZ4_FULL)
    expect(decodeTo(Buffer.from([0x14, 97, 1]), 1)).toBe(LZ4_CORRUPT)
  })
})

describe('frames', () => {
  test('of blocks that refer to those before, in whatever form they are', () => {
    const block = fc.tuple(sequences, runs, fc.boolean())
    fc.assert(
      fc.property(fc.array(block, { maxLength: 8 }), fc.constantFrom(0, 0x14), (parts, flags) => {
        let content = NOTHING
        const blocks = parts.map(([sequences, last, stored]) => {
          const bytes = assemble(sequences, last, content.length)
          const plain = referenceDecode(bytes, LIMIT, content)!
          content = Buffer.concat([content, plain])
          return stored ? storedBlock(plain) : packedBlock(bytes)
        })
        const frame = lz4Frame(flags, 6, blocks, content)
        expect(decodeLz4Frame(frame, content.length).equals(content)).toBe(true)
        if (content.length > 0) expect(() => decodeLz4Frame(frame, content.length - 1)).toThrow(DecompressionLimitError)
      }),
      { numRuns: 100 },
    )
  })

  test('a block that refers to more than 64 KiB of blocks before', () => {
    const first = noise(65_536)
    const second = noise(100, 1)
    const far = assemble([{ literals: NOTHING, distance: 65_535, length: 300 }], noise(5), 65_636)
    const content = Buffer.concat([first, second, Buffer.concat([first, second]).subarray(101, 401), noise(5)])
    const frame = lz4Frame(0, 4, [storedBlock(first), storedBlock(second), packedBlock(far)], content)
    expect(decodeLz4Frame(frame, LIMIT).equals(content)).toBe(true)
  })

  test.each([[[10, 65_536, 7, 300]], [[65_536, 65_536, 100]], [[65_536, 65_536]], [[1, 1]], [[5]], [[]]])(
    'of independent blocks of %j',
    (sizes) => {
      const parts = sizes.map((size, index) => Buffer.alloc(size, noise(50, index)))
      const content = Buffer.concat(parts)
      for (const stored of [0, 1, 2]) {
        const blocks = parts.map((part, index) =>
          (index + stored) % 3 === 0
            ? storedBlock(part)
            : packedBlock(packedBlocksOf(encodeLz4Frame(part))[0] ?? assemble([], part)),
        )
        const frame = lz4Frame(INDEPENDENT | 0x1c, 4, blocks, content)
        for (const limit of [content.length, content.length + 1, LIMIT]) {
          const output = decodeLz4Frame(frame, limit)
          expect(output.equals(content)).toBe(true)
          expect(ownMemoryOf(output)?.byteLength).toBe(content.length)
        }
        if (content.length > 0) expect(() => decodeLz4Frame(frame, content.length - 1)).toThrow(DecompressionLimitError)
      }
    },
  )

  test('a block may not refer to another where the frame says that none does', () => {
    const blocks = [
      storedBlock(noise(50)),
      packedBlock(assemble([{ literals: NOTHING, distance: 50, length: 50 }], noise(5), 50)),
      storedBlock(noise(3)),
    ]
    expect(() => decodeLz4Frame(lz4Frame(INDEPENDENT, 4, blocks, NOTHING), LIMIT)).toThrow(CorruptCompressionError)
    expect(decodeLz4Frame(lz4Frame(0, 4, blocks, NOTHING), LIMIT)).toHaveLength(108)
  })

  test('a block that makes more than its frame says a block has is corrupt, whatever the limit', async () => {
    const block = packedBlock(packedBlocksOf(await nativeLz4()!.compressFrame(Buffer.alloc(65_537)))[0]!)
    for (const limit of [65_536, 65_537, LIMIT]) {
      expect(() => decodeLz4Frame(lz4Frame(INDEPENDENT, 4, [block], NOTHING), limit)).toThrow(CorruptCompressionError)
    }
    expect(() => decodeLz4Frame(lz4Frame(INDEPENDENT, 4, [block], NOTHING), 65_535)).toThrow(DecompressionLimitError)
    expect(decodeLz4Frame(lz4Frame(INDEPENDENT, 5, [block], NOTHING), LIMIT)).toHaveLength(65_537)
  })

  test('the largest blocks, there and back, after errors too', () => {
    for (const input of [Buffer.alloc(LIMIT, noise(1000)), Buffer.alloc(LIMIT), noise(LIMIT)]) {
      const frame = encodeLz4Frame(input)
      expect(decodeLz4Frame(frame, LIMIT).equals(input)).toBe(true)
      expect(() => decodeLz4Frame(frame, LIMIT - 1)).toThrow(DecompressionLimitError)
      expect(() => decodeLz4Frame(frame.subarray(0, frame.length - 5), LIMIT)).toThrow(CorruptCompressionError)
      expect(encodeLz4Frame(input).equals(frame)).toBe(true)
      expect(decodeLz4Frame(frame, LIMIT).equals(input)).toBe(true)
    }
  })
})

describe('in a process that has little', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.resetModules()
  })

  test('without WebAssembly it says so', async () => {
    vi.stubGlobal('WebAssembly', undefined)
    vi.resetModules()
    const fresh = await import('./lz4-frame.ts')
    const failure = expect.objectContaining({
      code: 'UNSUPPORTED_COMPRESSION_TYPE',
      message: expect.stringContaining('WebAssembly'),
    })
    expect(() => fresh.encodeLz4Frame(Buffer.alloc(100))).toThrow(failure)
    expect(() => fresh.decodeLz4Frame(encodeLz4Frame(Buffer.alloc(100)), 100)).toThrow(failure)
  })

  test('a lack of memory is no corruption, and what is smaller goes on', async () => {
    // The bytes of a memory that may grow to 20 pages: its limits begin with a flag, 0 for none at all and 1 for one.
    const bytes = Buffer.from(LZ4_BLOCK_WASM, 'base64')
    const section = bytes.indexOf(Buffer.from([5, 3, 1, 0, 4]))
    expect(section).toBeGreaterThan(0)
    const limited = Buffer.concat([bytes.subarray(0, section), Buffer.from([5, 4, 1, 1, 4, 20]), bytes.subarray(section + 5)])
    vi.doMock('../generated/lz4-block-wasm.ts', () => ({ LZ4_BLOCK_WASM: limited.toString('base64') }))
    vi.resetModules()
    const fresh = await import('./lz4-frame.ts')
    vi.doUnmock('../generated/lz4-block-wasm.ts')
    const large = encodeLz4Frame(Buffer.alloc(3_000_000))
    expect(() => fresh.encodeLz4Frame(noise(3_000_000))).toThrow(new RangeError('lz4: not enough memory'))
    expect(() => fresh.decodeLz4Frame(large, LIMIT)).toThrow(new RangeError('lz4: not enough memory'))
    expect(fresh.decodeLz4Frame(encodeLz4Frame(noise(1000)), LIMIT)).toEqual(noise(1000))
  })
})
