import { ProtocolError } from '../kafka-error.ts'
import { MAX_ARRAY_LENGTH, MAX_FRAME_ELEMENTS, MAX_TAGGED_FIELDS } from '../limits.ts'
import { newList } from './fields.ts'

/** Where two 32-bit halves become one 64-bit value; quicker than Buffer's own methods. */
const scratch = new DataView(new ArrayBuffer(8))

/**
 * Reads protocol primitives from one frame. Byte fields are views into the frame, never copies. Every length is
 * checked against what is left, so that a corrupt frame throws `CORRUPT_FRAME` and cannot make us allocate.
 */
export class Reader {
  readonly buffer: Buffer
  position: number
  readonly end: number
  #elements = 0

  constructor(buffer: Buffer, position = 0, end: number = buffer.length) {
    this.buffer = buffer
    this.position = position
    this.end = end
  }

  get remaining(): number {
    return this.end - this.position
  }

  int8(): number {
    const at = this.#take(1)
    return (this.buffer[at]! << 24) >> 24
  }

  int16(): number {
    const at = this.#take(2)
    return (((this.buffer[at]! << 8) | this.buffer[at + 1]!) << 16) >> 16
  }

  uint16(): number {
    const at = this.#take(2)
    return (this.buffer[at]! << 8) | this.buffer[at + 1]!
  }

  int32(): number {
    const at = this.#take(4)
    const buffer = this.buffer
    return (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!
  }

  uint32(): number {
    return this.int32() >>> 0
  }

  int64(): bigint {
    scratch.setInt32(0, this.int32())
    scratch.setInt32(4, this.int32())
    return scratch.getBigInt64(0)
  }

  float64(): number {
    scratch.setInt32(0, this.int32())
    scratch.setInt32(4, this.int32())
    return scratch.getFloat64(0)
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.buffer[this.#take(1)]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw this.corrupt('a varint longer than five bytes')
  }

  /** Kafka's Uuid in its own text form: 22 characters of unpadded base64url. */
  uuid(): string {
    const at = this.#take(16)
    return this.buffer.toString('base64url', at, at + 16)
  }

  string(): string {
    return this.#utf8(this.#present(this.int16()))
  }

  nullableString(): string | null {
    const length = this.int16()
    return length === -1 ? null : this.#utf8(length)
  }

  compactString(): string {
    return this.#utf8(this.#present(this.unsignedVarint() - 1))
  }

  compactNullableString(): string | null {
    const length = this.unsignedVarint() - 1
    return length === -1 ? null : this.#utf8(length)
  }

  bytes(): Buffer {
    return this.raw(this.#present(this.int32()))
  }

  nullableBytes(): Buffer | null {
    const length = this.int32()
    return length === -1 ? null : this.raw(length)
  }

  compactBytes(): Buffer {
    return this.raw(this.#present(this.unsignedVarint() - 1))
  }

  compactNullableBytes(): Buffer | null {
    const length = this.unsignedVarint() - 1
    return length === -1 ? null : this.raw(length)
  }

  /**
   * The count before an array's elements. `elementBytes` is the fewest bytes that an element takes: a count that what
   * is left cannot hold is corrupt, so that no list grows beyond what its frame can fill.
   *
   * @throws ProtocolError `CORRUPT_FRAME`, also for null and beyond MAX_ARRAY_LENGTH and MAX_FRAME_ELEMENTS
   */
  arrayLength(elementBytes = 1): number {
    return this.#count(this.#present(this.int32()), elementBytes)
  }

  /** As `arrayLength`, and -1 for null. */
  nullableArrayLength(elementBytes = 1): number {
    return this.#count(this.int32(), elementBytes)
  }

  compactArrayLength(elementBytes = 1): number {
    return this.#count(this.#present(this.unsignedVarint() - 1), elementBytes)
  }

  /** As `compactArrayLength`, and -1 for null. */
  nullableCompactArrayLength(elementBytes = 1): number {
    return this.#count(this.unsignedVarint() - 1, elementBytes)
  }

  int8List(count: number): number[] {
    const list = newList<number>(count)
    for (let index = 0; index < count; index++) list[index] = this.int8()
    return list
  }

  int16List(count: number): number[] {
    const list = newList<number>(count)
    for (let index = 0; index < count; index++) list[index] = this.int16()
    return list
  }

  int32List(count: number): number[] {
    const list = newList<number>(count)
    for (let index = 0; index < count; index++) list[index] = this.int32()
    return list
  }

  int64List(count: number): bigint[] {
    const list = newList<bigint>(count)
    for (let index = 0; index < count; index++) list[index] = this.int64()
    return list
  }

  uuidList(count: number): string[] {
    const list = newList<string>(count)
    for (let index = 0; index < count; index++) list[index] = this.uuid()
    return list
  }

  stringList(count: number): string[] {
    const list = newList<string>(count)
    for (let index = 0; index < count; index++) list[index] = this.string()
    return list
  }

  compactStringList(count: number): string[] {
    const list = newList<string>(count)
    for (let index = 0; index < count; index++) list[index] = this.compactString()
    return list
  }

  nullableInt8List(count: number): number[] | null {
    return count === -1 ? null : this.int8List(count)
  }

  nullableInt32List(count: number): number[] | null {
    return count === -1 ? null : this.int32List(count)
  }

  nullableUuidList(count: number): string[] | null {
    return count === -1 ? null : this.uuidList(count)
  }

  nullableStringList(count: number): string[] | null {
    return count === -1 ? null : this.stringList(count)
  }

  nullableCompactStringList(count: number): string[] | null {
    return count === -1 ? null : this.compactStringList(count)
  }

  /** The next `length` bytes as a view. */
  raw(length: number): Buffer {
    const at = this.#take(length)
    return this.buffer.subarray(at, at + length)
  }

  skip(length: number): void {
    this.#take(length)
  }

  /** How many tagged fields follow; each takes two bytes or more. */
  taggedFieldCount(): number {
    const count = this.unsignedVarint()
    if (count > MAX_TAGGED_FIELDS || count * 2 > this.remaining) throw this.corrupt(`${count} tagged fields`)
    return count
  }

  /** The size of the tagged field that begins here, as the position where it ends. */
  taggedFieldEnd(): number {
    const size = this.unsignedVarint()
    if (size > this.end - this.position) throw this.corrupt(`a tagged field of ${size} bytes, ${this.end - this.position} left`)
    return this.position + size
  }

  /** Checks that a tagged field was as long as it said. */
  leaveTaggedField(end: number): void {
    if (this.position !== end) throw this.corrupt(`a tagged field that should end at byte ${end}`)
  }

  /** Steps over a section of tagged fields of which none is known here. */
  skipTaggedFields(): void {
    for (let left = this.taggedFieldCount(); left > 0; left--) {
      this.unsignedVarint()
      this.#take(this.unsignedVarint())
    }
  }

  corrupt(what: string): ProtocolError {
    return new ProtocolError('CORRUPT_FRAME', `corrupt frame: ${what} at byte ${this.position} of ${this.end}`)
  }

  #utf8(length: number): string {
    const at = this.#take(length)
    return this.buffer.toString('utf8', at, at + length)
  }

  #present(length: number): number {
    if (length < 0) throw this.corrupt('null where a value is required')
    return length
  }

  #count(count: number, elementBytes: number): number {
    if (count === -1) return count
    if (count < 0 || count > MAX_ARRAY_LENGTH || count * elementBytes > this.end - this.position) {
      throw this.corrupt(`an array of ${count} elements`)
    }
    this.#elements += count
    if (this.#elements > MAX_FRAME_ELEMENTS) throw this.corrupt(`more than ${MAX_FRAME_ELEMENTS} array elements`)
    return count
  }

  /** Moves past `size` bytes and returns where they begin. */
  #take(size: number): number {
    const at = this.position
    if (size < 0 || size > this.end - at) throw this.corrupt(`${size} bytes wanted, ${this.end - at} left`)
    this.position = at + size
    return at
  }
}
