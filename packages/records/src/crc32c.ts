import { createRequire } from 'node:module'
import { NATIVE_CRC_BYTES } from './limits.ts'

type NativeCrc32c = (bytes: Uint8Array, state?: number) => number
type TableCrc32c = (bytes: Uint8Array, seed?: number) => number

const require = createRequire(import.meta.url)
let native: NativeCrc32c | null | undefined
let table: TableCrc32c | undefined

/**
 * CRC-32C (Castagnoli) of `buffer[start..end)`, as an unsigned 32-bit number; `seed` continues an earlier result.
 * Uses @node-rs/crc32 where it loads, and crc-32, in JavaScript, elsewhere and for few bytes (docs/decisions/0003).
 */
export function crc32c(buffer: Buffer, start = 0, end: number = buffer.length, seed = 0): number {
  const region = start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end)
  if (end - start >= NATIVE_CRC_BYTES) {
    if (native === undefined) native = loadNative()
    if (native !== null) return native(region, seed)
  }
  table ??= (require('crc-32/crc32c.js') as { buf: TableCrc32c }).buf
  return table(region, seed) >>> 0
}

/** For tests: `false` makes this process use the JavaScript implementation, `true` goes back to the default. */
export function allowNativeCrc32c(allowed: boolean): void {
  native = allowed ? undefined : null
}

function loadNative(): NativeCrc32c | null {
  try {
    return (require('@node-rs/crc32') as { crc32c: NativeCrc32c }).crc32c
  } catch {
    return null // optional: no binary for this platform
  }
}
