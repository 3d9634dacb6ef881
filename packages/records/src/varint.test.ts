import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from './varint.ts'
import { VarintReader } from './varint-reader.ts'

/** By definition: zig-zag in 64 bits, then 7 bits a byte, the lowest first. */
function encode(value: bigint): number[] {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  const bytes: number[] = []
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return [...bytes, Number(rest)]
}

const edges = (bits: number): number[] =>
  Array.from({ length: bits }, (_, i) => 2 ** i).flatMap((n) => [n - 1, n, n + 1, -n, -n - 1, 1 - n])
const int32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff })
const safe = fc.maxSafeInteger()

/** What the functions make of `value`, for comparison with the definition. */
function asVarint(value: number): unknown {
  const buffer = Buffer.alloc(12)
  const end = writeVarint(buffer, 1, value)
  const reader = new VarintReader(buffer, 1, 12)
  return {
    bytes: [...buffer.subarray(1, end)],
    size: sizeOfVarint(value),
    read: BigInt(reader.varint() ?? Number.NaN),
    end: reader.position,
  }
}

function asVarlong(value: number): unknown {
  const buffer = Buffer.alloc(12)
  const end = writeVarlong(buffer, 1, value)
  const reader = new VarintReader(buffer, 1, 12)
  return { bytes: [...buffer.subarray(1, end)], size: sizeOfVarlong(value), read: reader.varlong(), end: reader.position }
}

function defined(value: number): unknown {
  const bytes = encode(BigInt(value))
  return { bytes, size: bytes.length, read: BigInt(value), end: 1 + bytes.length }
}

describe('varint', () => {
  test('at every power of two', () => {
    for (const value of [0, ...edges(31), 0x7fff_ffff, -0x8000_0000]) expect(asVarint(value)).toEqual(defined(value))
  })

  test('of any int32', () => {
    fc.assert(
      fc.property(int32, (value) => {
        expect(asVarint(value)).toEqual(defined(value))
      }),
    )
  })
})

describe('varlong', () => {
  test('at every power of two, to 2^53', () => {
    const values = [0, ...edges(53).filter((n) => Math.abs(n) <= 2 ** 53), 2 ** 53, -(2 ** 53)]
    for (const value of values) expect(asVarlong(value)).toEqual(defined(value))
  })

  test('of any safe integer', () => {
    fc.assert(
      fc.property(safe, (value) => {
        expect(asVarlong(value)).toEqual(defined(value))
      }),
    )
  })

  test('of any int64 is read exactly', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const bytes = Buffer.from(encode(value))
        expect(new VarintReader(bytes, 0, bytes.length).varlong()).toBe(value)
      }),
    )
  })
})

describe('a varint that is cut or never ends is null', () => {
  test('at every length', () => {
    const endless = Buffer.alloc(20, 0xff)
    for (let length = 0; length <= 20; length++) {
      expect(new VarintReader(endless, 0, length).varint()).toBeNull()
      expect(new VarintReader(endless, 0, length).varlong()).toBeNull()
    }
  })

  test('whose end lies beyond the limit', () => {
    const bytes = Buffer.from(encode(1n << 40n))
    expect(new VarintReader(bytes, 0, bytes.length - 1).varlong()).toBeNull()
  })
})
