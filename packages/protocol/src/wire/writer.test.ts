import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../kafka-error.ts'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

function written(write: (writer: Writer) => void, initialCapacity?: number): Buffer {
  const writer = new Writer(initialCapacity)
  write(writer)
  const length = writer.length
  const bytes = writer.toBuffer()
  expect(length).toBe(bytes.length)
  return bytes
}

/** Every kind of value with how to write and to read it. */
const integer = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max })
const text = fc.string({ unit: 'grapheme', maxLength: 80 })
const blob = fc
  .oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 1000, maxLength: 1100 }))
  .map((bytes) => Buffer.from(bytes))
const steps = fc.array(
  fc.oneof(
    integer(-128, 127).map((value) => ['int8', value] as const),
    integer(-32768, 32767).map((value) => ['int16', value] as const),
    integer(0, 65535).map((value) => ['uint16', value] as const),
    integer(-0x80000000, 0x7fffffff).map((value) => ['int32', value] as const),
    integer(0, 0xffffffff).map((value) => ['uint32', value] as const),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => ['int64', value] as const),
    fc.double().map((value) => ['float64', value] as const),
    fc.boolean().map((value) => ['boolean', value] as const),
    integer(0, 0xffffffff).map((value) => ['unsignedVarint', value] as const),
    fc.uint8Array({ minLength: 16, maxLength: 16 }).map((value) => ['uuid', Buffer.from(value).toString('base64url')] as const),
    text.map((value) => ['string', value] as const),
    text.map((value) => ['compactString', value] as const),
    fc.option(text).map((value) => ['nullableString', value] as const),
    fc.option(text).map((value) => ['compactNullableString', value] as const),
    blob.map((value) => ['bytes', value] as const),
    blob.map((value) => ['compactBytes', value] as const),
    fc.option(blob).map((value) => ['nullableBytes', value] as const),
    fc.option(blob).map((value) => ['compactNullableBytes', value] as const),
  ),
)

function call(subject: object, method: string, value?: unknown): unknown {
  return (subject as Record<string, (this: object, value: unknown) => unknown>)[method]?.call(subject, value)
}

describe('Writer', () => {
  it('writes what Reader reads, whatever the order and the capacity', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 64 }), (list, capacity) => {
        const bytes = written((writer) => {
          for (const [method, value] of list) call(writer, method, value)
        }, capacity)
        const reader = new Reader(bytes)
        expect(list.map(([method]) => [method, call(reader, method)])).toEqual(list)
        expect(reader.remaining).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    'a'.repeat(47),
    'a'.repeat(48),
    'a'.repeat(49),
    'a'.repeat(127),
    'a'.repeat(128),
    `${'a'.repeat(47)}é`,
    'é',
    '',
    '\u0000',
    '\u007f',
    '\u0080',
  ])('writes %j as UTF-8, short or long', (value) => {
    const bytes = Buffer.from(value)
    const plain = written((writer) => writer.string(value), 1)
    expect(plain.readInt16BE(0)).toBe(bytes.length)
    expect(plain.subarray(2)).toEqual(bytes)
    const compact = written((writer) => writer.compactString(value), 1)
    expect(compact.subarray(-bytes.length || compact.length)).toEqual(bytes)
    expect(new Reader(compact).compactString()).toBe(value)
  })

  it.each([
    ['int8', 128],
    ['int8', -129],
    ['int16', 32768],
    ['uint16', -1],
    ['uint16', 65536],
    ['int32', 2 ** 31],
    ['int32', -(2 ** 31) - 1],
    ['int32', 1.5],
    ['int32', Number.NaN],
    ['int32', undefined],
    ['uint32', -1],
    ['uint32', 2 ** 32],
    ['int64', 2n ** 63n],
    ['int64', -(2n ** 63n) - 1n],
    ['int64', 5],
    ['int64', undefined],
    ['bytes', 'abc'],
    ['compactBytes', [1, 2, 3]],
    ['string', 'x'.repeat(32768)],
    ['compactString', 'é'.repeat(16384)],
    ['string', 5],
    ['compactString', 5],
    ['string', undefined],
    ['nullableString', undefined],
    ['compactString', ['abc']],
    ['uuid', 'AAAAAAAAAAAAAAAAAAAAA'],
    ['uuid', 'AAAAAAAAAAAAAAAAAAAA!!'],
    ['uuid', '123e4567-e89b-12d3-a456-426614174000'],
  ])('refuses what is no %s', (method, value) => {
    const write = (): unknown => call(new Writer(), method, value)
    expect(write).toThrow(ProtocolError)
    expect(write).toThrow(expect.objectContaining({ code: 'VALUE_OUT_OF_RANGE' }))
  })

  it('splices long bytes in without a copy', () => {
    const records = Buffer.alloc(5000, 1)
    const writer = new Writer()
    writer.int32(0)
    writer.bytes(records)
    writer.int8(7)
    writer.patchInt32AtStart(77)
    expect(writer.length).toBe(4 + 4 + 5000 + 1)
    const chunks = writer.finish()
    expect(chunks).toHaveLength(3)
    expect(chunks[1]?.buffer).toBe(records.buffer)
    expect(Buffer.concat(chunks)).toEqual(Buffer.concat([Buffer.from('0000004d00001388', 'hex'), records, Buffer.from([7])]))
  })

  it('copies short bytes, so that the caller may change them', () => {
    const value = Buffer.from('abc')
    const writer = new Writer()
    writer.bytes(value)
    value.fill(0)
    expect(writer.toBuffer().subarray(4).toString()).toBe('abc')
  })

  it('puts a tagged field together from a writer of its own', () => {
    const value = new Writer()
    value.int16(5)
    value.raw(Buffer.alloc(2000, 2))
    const bytes = written((writer) => writer.taggedField(3, value))
    const reader = new Reader(bytes)
    expect([reader.unsignedVarint(), reader.unsignedVarint(), reader.int16()]).toEqual([3, 2002, 5])
    expect(reader.raw(2000)).toEqual(Buffer.alloc(2000, 2))
  })
})
