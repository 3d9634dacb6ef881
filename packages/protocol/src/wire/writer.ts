import { ProtocolError } from '../kafka-error.ts'
import { MAX_STRING_BYTES } from '../limits.ts'

/** Values at least this long are handed to the socket as they are instead of being copied into the frame. */
const SPLICE_BYTES = 1024

const UUID_TEXT_LENGTH = 22

/** Strings up to this length are written character by character, which beats a call into the runtime while they are ASCII. */
const SHORT_STRING_LENGTH = 48

/** Where a 64-bit value becomes two halves; quicker than Buffer's own methods. */
const scratch = new DataView(new ArrayBuffer(8))

/**
 * Appends protocol primitives to a growing buffer. Long byte fields are spliced in without a copy, so a finished
 * message is a list of chunks that together are the bytes to send. The caller must not touch spliced bytes until they are sent.
 *
 * A value that does not fit its type throws a ProtocolError `VALUE_OUT_OF_RANGE`.
 */
export class Writer {
  #buffer: Buffer
  #position = 0
  /** Where the bytes that no chunk holds yet begin. */
  #chunkStart = 0
  #chunks: Buffer[] = []
  #chunkedBytes = 0

  constructor(initialCapacity = 256) {
    this.#buffer = Buffer.allocUnsafe(initialCapacity)
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#chunkedBytes + this.#position - this.#chunkStart
  }

  /** Everything written, as chunks in order. The writer must not be used afterwards. */
  finish(): Buffer[] {
    this.#closeChunk()
    return this.#chunks
  }

  /** Everything written, as one buffer; copies when there was a splice. */
  toBuffer(): Buffer {
    const chunks = this.finish()
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
  }

  int8(value: number): void {
    if ((value << 24) >> 24 !== value) throw outOfRange(value, 'int8')
    const at = this.#reserve(1)
    this.#buffer[at] = value
  }

  int16(value: number): void {
    if ((value << 16) >> 16 !== value) throw outOfRange(value, 'int16')
    this.#put16(value)
  }

  uint16(value: number): void {
    if ((value & 0xffff) !== value) throw outOfRange(value, 'uint16')
    this.#put16(value)
  }

  int32(value: number): void {
    if ((value | 0) !== value) throw outOfRange(value, 'int32')
    this.#put32(value)
  }

  uint32(value: number): void {
    if (value >>> 0 !== value) throw outOfRange(value, 'uint32')
    this.#put32(value)
  }

  int64(value: bigint): void {
    if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value) throw outOfRange(value, 'int64')
    scratch.setBigInt64(0, value)
    this.#put32(scratch.getInt32(0))
    this.#put32(scratch.getInt32(4))
  }

  float64(value: number): void {
    scratch.setFloat64(0, value)
    this.#put32(scratch.getInt32(0))
    this.#put32(scratch.getInt32(4))
  }

  boolean(value: boolean): void {
    this.int8(value ? 1 : 0)
  }

  unsignedVarint(value: number): void {
    const at = this.#reserve(5)
    const buffer = this.#buffer
    let position = at
    let rest = value >>> 0
    while (rest > 0x7f) {
      buffer[position++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    buffer[position++] = rest
    this.#position = position
  }

  /** Kafka's Uuid in its own text form: 22 characters of unpadded base64url. */
  uuid(value: string): void {
    const at = this.#reserve(16)
    if (value.length !== UUID_TEXT_LENGTH || this.#buffer.write(value, at, 16, 'base64url') !== 16) {
      throw new ProtocolError('VALUE_OUT_OF_RANGE', `${JSON.stringify(value)} is no uuid in base64url`)
    }
  }

  /** int16 length, then UTF-8. */
  string(value: string): void {
    if (this.#shortAscii(value, 0)) return
    const length = stringBytes(value)
    this.#put16(length)
    this.#utf8(value, length)
  }

  nullableString(value: string | null): void {
    if (value === null) this.int16(-1)
    else this.string(value)
  }

  /** Unsigned varint length + 1, then UTF-8. */
  compactString(value: string): void {
    if (this.#shortAscii(value, 1)) return
    const length = stringBytes(value)
    this.unsignedVarint(length + 1)
    this.#utf8(value, length)
  }

  compactNullableString(value: string | null): void {
    if (value === null) this.unsignedVarint(0)
    else this.compactString(value)
  }

  /** int32 length, then the bytes. Also the form of `records` in versions that are not flexible. */
  bytes(value: Uint8Array): void {
    this.int32(value.length)
    this.raw(value)
  }

  nullableBytes(value: Uint8Array | null): void {
    if (value === null) this.int32(-1)
    else this.bytes(value)
  }

  compactBytes(value: Uint8Array): void {
    this.unsignedVarint(value.length + 1)
    this.raw(value)
  }

  compactNullableBytes(value: Uint8Array | null): void {
    if (value === null) this.unsignedVarint(0)
    else this.compactBytes(value)
  }

  /** The int32 count before an array's elements. */
  arrayLength(count: number): void {
    this.#put32(count)
  }

  compactArrayLength(count: number): void {
    this.unsignedVarint(count + 1)
  }

  int8List(list: readonly number[]): void {
    for (const item of list) this.int8(item)
  }

  int16List(list: readonly number[]): void {
    for (const item of list) this.int16(item)
  }

  int32List(list: readonly number[]): void {
    for (const item of list) this.int32(item)
  }

  int64List(list: readonly bigint[]): void {
    for (const item of list) this.int64(item)
  }

  uuidList(list: readonly string[]): void {
    for (const item of list) this.uuid(item)
  }

  stringList(list: readonly string[]): void {
    for (const item of list) this.string(item)
  }

  compactStringList(list: readonly string[]): void {
    for (const item of list) this.compactString(item)
  }

  /** A tagged field whose value was written by itself, because its size comes first. */
  taggedField(tag: number, value: Writer): void {
    this.unsignedVarint(tag)
    this.unsignedVarint(value.length)
    for (const chunk of value.finish()) this.raw(chunk)
  }

  /** Bytes without a length before them. */
  raw(value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) throw outOfRange(value, 'byte array')
    if (value.length >= SPLICE_BYTES) {
      this.#closeChunk()
      this.#chunks.push(Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.length))
      this.#chunkedBytes += value.length
      return
    }
    const at = this.#reserve(value.length)
    this.#buffer.set(value, at)
  }

  /** Overwrites four bytes at the very start, for a length that is known last. */
  patchInt32AtStart(value: number): void {
    const first = this.#chunks[0] ?? this.#buffer
    first.writeInt32BE(value, 0)
  }

  /**
   * Writes length and text of a short string as long as it is ASCII; otherwise takes all back and returns false. The
   * length is one byte in the compact form (1), two in the other (0).
   */
  #shortAscii(value: string, compact: 0 | 1): boolean {
    // `stringBytes` refuses what is no string. Here its length would do harm: NaN as a position ends in half a frame.
    if (typeof value !== 'string' || value.length > SHORT_STRING_LENGTH) return false
    const length = value.length
    let at = this.#reserve(2 - compact + length)
    const buffer = this.#buffer
    if (compact === 0) buffer[at++] = 0
    buffer[at++] = length + compact
    for (let index = 0; index < length; index++) {
      const character = value.charCodeAt(index)
      if (character > 0x7f) {
        this.#position -= 2 - compact + length
        return false
      }
      buffer[at++] = character
    }
    return true
  }

  #put16(value: number): void {
    const at = this.#reserve(2)
    this.#buffer[at] = value >> 8
    this.#buffer[at + 1] = value
  }

  #put32(value: number): void {
    const at = this.#reserve(4)
    const buffer = this.#buffer
    buffer[at] = value >> 24
    buffer[at + 1] = value >> 16
    buffer[at + 2] = value >> 8
    buffer[at + 3] = value
  }

  #utf8(value: string, length: number): void {
    const at = this.#reserve(length)
    this.#buffer.write(value, at, length, 'utf8')
  }

  #closeChunk(): void {
    if (this.#position === this.#chunkStart) return
    this.#chunks.push(this.#buffer.subarray(this.#chunkStart, this.#position))
    this.#chunkedBytes += this.#position - this.#chunkStart
    this.#chunkStart = this.#position
  }

  /** Makes room, moves the position past it and returns where it begins. */
  #reserve(size: number): number {
    const at = this.#position
    if (at + size > this.#buffer.length) return this.#grow(size)
    this.#position = at + size
    return at
  }

  /** Chunks that are closed keep the old buffer; only the open one moves. */
  #grow(size: number): number {
    const open = this.#position - this.#chunkStart
    const capacity = Math.max(this.#buffer.length * 2, open + size)
    const grown = Buffer.allocUnsafe(capacity)
    this.#buffer.copy(grown, 0, this.#chunkStart, this.#position)
    this.#buffer = grown
    this.#chunkStart = 0
    this.#position = open + size
    return open
  }
}

function stringBytes(value: string): number {
  if (typeof value !== 'string') throw outOfRange(value, 'string')
  const length = Buffer.byteLength(value)
  if (length > MAX_STRING_BYTES) {
    throw new ProtocolError('VALUE_OUT_OF_RANGE', `a string of ${length} bytes; the protocol allows ${MAX_STRING_BYTES}`)
  }
  return length
}

function outOfRange(value: unknown, type: string): ProtocolError {
  return new ProtocolError('VALUE_OUT_OF_RANGE', `${String(value)} is no ${type}`)
}
