import { describe, expect, it } from 'vitest'
import { apiVersionsApi } from '../generated/api-versions.ts'
import { MAX_ARRAY_LENGTH, MAX_FRAME_ELEMENTS, MAX_TAGGED_FIELDS } from '../limits.ts'
import { Reader } from './reader.ts'

function reader(hex: string): Reader {
  return new Reader(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

const corrupt = expect.objectContaining({ name: 'ProtocolError', code: 'CORRUPT_FRAME' })

describe('Reader', () => {
  it.each([
    ['00', 0],
    ['7f', 127],
    ['8001', 128],
    ['ffff03', 65535],
    ['ffffffff07', 0x7fffffff],
    ['ffffffff0f', 0xffffffff],
    ['8000', 0],
  ])('reads the unsigned varint %s', (hex, value) => {
    expect(reader(hex).unsignedVarint()).toBe(value)
  })

  it.each(['', '80', 'ffffffff', 'ffffffffff01', '808080808000'])('refuses the unsigned varint %s', (hex) => {
    expect(() => reader(hex).unsignedVarint()).toThrow(corrupt)
  })

  it('gives views, not copies', () => {
    const buffer = Buffer.from('0000000361626303', 'hex')
    const view = new Reader(buffer).bytes()
    expect(view.toString()).toBe('abc')
    expect(view.buffer).toBe(buffer.buffer)
    expect(view.byteOffset).toBe(buffer.byteOffset + 4)
  })

  it('reads no further than its end', () => {
    const part = new Reader(Buffer.from('0001020304', 'hex'), 1, 3)
    expect(part.remaining).toBe(2)
    expect(part.int16()).toBe(0x0102)
    expect(() => part.int8()).toThrow(corrupt)
  })

  it.each([
    ['string', 'ffff'],
    ['string', 'fffe'],
    ['nullableString', 'fffe'],
    ['string', '000461 6263'],
    ['compactString', '00'],
    ['compactString', '05 616263'],
    ['compactNullableString', 'ffffffff0f 6162'],
    ['bytes', 'ffffffff'],
    ['nullableBytes', 'fffffffe'],
    ['nullableBytes', '7fffffff 00'],
    ['compactBytes', '00'],
    ['compactNullableBytes', '03 61'],
    ['arrayLength', 'ffffffff'],
    ['arrayLength', '80000000'],
    ['nullableArrayLength', 'fffffffe'],
    ['nullableArrayLength', '00000002 00'],
    ['compactArrayLength', '00'],
    ['nullableCompactArrayLength', '03 00'],
    ['uuid', '00112233445566778899aabbccddee'],
    ['float64', '00000000000000'],
    ['int64', '00000000000000'],
  ] as const)('refuses a %s of %s', (method, hex) => {
    expect(() => reader(hex)[method]()).toThrow(corrupt)
  })

  it('tells null from empty', () => {
    expect(reader('ffff').nullableString()).toBe(null)
    expect(reader('0000').nullableString()).toBe('')
    expect(reader('00').compactNullableString()).toBe(null)
    expect(reader('01').compactNullableString()).toBe('')
    expect(reader('ffffffff').nullableBytes()).toBe(null)
    expect(reader('00').nullableCompactArrayLength()).toBe(-1)
    expect(reader('01').nullableCompactArrayLength()).toBe(0)
    expect(reader('ffffffff').nullableArrayLength()).toBe(-1)
  })

  it('checks a count against the fewest bytes that the elements take', () => {
    expect(reader('00000002 0000000000000000').arrayLength(4)).toBe(2)
    expect(() => reader('00000003 0000000000000000').arrayLength(4)).toThrow(corrupt)
    expect(() => reader('04 0000000000000000').compactArrayLength(4)).toThrow(corrupt)
  })

  it('holds arrays to the longest that Kafka reads', () => {
    const frame = Buffer.alloc(4 + MAX_ARRAY_LENGTH + 1)
    frame.writeInt32BE(MAX_ARRAY_LENGTH)
    expect(new Reader(frame).arrayLength()).toBe(MAX_ARRAY_LENGTH)
    frame.writeInt32BE(MAX_ARRAY_LENGTH + 1)
    expect(() => new Reader(frame).arrayLength()).toThrow(corrupt)
  })

  it('holds all arrays of one frame together to a number of elements', () => {
    const frame = Buffer.alloc(4 + MAX_ARRAY_LENGTH)
    frame.writeInt32BE(MAX_ARRAY_LENGTH)
    const source = new Reader(frame)
    for (let elements = 0; elements < MAX_FRAME_ELEMENTS; elements += MAX_ARRAY_LENGTH) {
      source.position = 0
      source.arrayLength()
    }
    source.position = 0
    expect(() => source.arrayLength()).toThrow(corrupt)
  })

  it('holds tagged fields to the number that Kafka reads, and to what is left', () => {
    const frame = Buffer.alloc(3 + 2 * MAX_TAGGED_FIELDS + 2)
    frame.set([0x90, 0x4e])
    const longest = new Reader(frame)
    longest.skipTaggedFields()
    expect(longest.remaining).toBe(frame.length - 2 - 2 * MAX_TAGGED_FIELDS)
    frame.set([0x91, 0x4e])
    expect(() => new Reader(frame).skipTaggedFields()).toThrow(corrupt)
    expect(() => reader('02 0000').skipTaggedFields()).toThrow(corrupt)
    expect(() => reader('01 0005 00').skipTaggedFields()).toThrow(corrupt)
  })
})

describe('tagged fields whose size disagrees with their content', () => {
  // ErrorCode, no ApiKeys, ThrottleTimeMs, then one tagged field: FinalizedFeaturesEpoch, an int64.
  const start = '0000 01 00000000 01 01'
  const decode = (hex: string): unknown => apiVersionsApi.decodeResponse(reader(`${start} ${hex}`), 3)

  it('are read when it agrees', () => {
    expect(decode('08 0000000000000007')).toMatchObject({ finalizedFeaturesEpoch: 7n })
  })

  it.each([
    '07 0000000000000007',
    '09 000000000000000700',
    '00 0000000000000007',
    'ffffffff0f 0000000000000007',
    '10 0000000000000007',
  ])('are refused: %s', (hex) => {
    expect(() => decode(hex)).toThrow(corrupt)
  })
})
