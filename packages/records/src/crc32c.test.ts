import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { allowNativeCrc32c, crc32c } from './crc32c.ts'
import { NATIVE_CRC_BYTES } from './limits.ts'

afterEach(() => allowNativeCrc32c(true))

/** RFC 3720 appendix B.4, the values as numbers. */
const KNOWN: readonly [string, Buffer, number][] = [
  ['32 bytes of zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['32 ascending bytes', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
  ['32 descending bytes', Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c],
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
]

/** Bit by bit, from the polynomial alone. */
function slowly(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  }
  return (crc ^ 0xffff_ffff) >>> 0
}

describe.each([true, false])('crc32c, native allowed: %s', (allowed) => {
  test.each(KNOWN)('of %s', (_name, bytes, expected) => {
    allowNativeCrc32c(allowed)
    expect(crc32c(bytes)).toBe(expected)
  })

  test('of a region, and continued, at sizes on both sides of the limit', () => {
    allowNativeCrc32c(allowed)
    const arbitrary = fc.uint8Array({ minLength: 0, maxLength: NATIVE_CRC_BYTES * 3 })
    fc.assert(
      fc.property(arbitrary, arbitrary, fc.nat(40), (first, second, margin) => {
        const framed = Buffer.concat([Buffer.alloc(margin, 7), first, second, Buffer.alloc(margin, 9)])
        const middle = margin + first.length
        const whole = crc32c(framed, margin, middle + second.length)
        expect(whole).toBe(slowly(Buffer.concat([first, second])))
        expect(crc32c(framed, middle, middle + second.length, crc32c(framed, margin, middle))).toBe(whole)
      }),
    )
  })
})
