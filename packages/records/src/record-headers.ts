import { CorruptRecordError, type BatchLocation } from './errors.ts'
import { KEPT_NAMES, MAX_KEPT_NAME_BYTES, MIN_HEADER_BYTES } from './limits.ts'
import { VarintReader } from './varint-reader.ts'

/** A header as it is read: its name, and a view of its value. */
export type RecordHeader = [name: string, value: Buffer | null]

/** Decodes the headers of one record, which fill `[start, end)` of `data`, their count first. */
export function decodeHeaders(data: Buffer, start: number, end: number, batch: BatchLocation): RecordHeader[] {
  const reader = new VarintReader(data, start, end)
  const count = reader.varint()
  if (count === null || count < 0 || count * MIN_HEADER_BYTES > end - reader.position) {
    throw new CorruptRecordError(batch, `header count ${count} in ${end - start} bytes`)
  }
  const headers: RecordHeader[] = []
  for (let i = 0; i < count; i++) {
    const nameLength = readLength(reader, end, batch)
    if (nameLength < 0) throw new CorruptRecordError(batch, `header name of length ${nameLength}`)
    const name = decodeName(data, reader.position, nameLength)
    reader.position += nameLength
    const valueLength = readLength(reader, end, batch)
    const valueStart = reader.position
    headers.push([name, valueLength < 0 ? null : data.subarray(valueStart, valueStart + valueLength)])
    reader.position = valueStart + Math.max(0, valueLength)
  }
  if (reader.position !== end)
    throw new CorruptRecordError(batch, `${end - reader.position} bytes left after the headers of a record`)
  return headers
}

function readLength(reader: VarintReader, end: number, batch: BatchLocation): number {
  const length = reader.varint()
  if (length === null || length < -1 || length > end - reader.position) {
    throw new CorruptRecordError(batch, `length ${length} within the headers of a record`)
  }
  return length
}

const kept: string[] = Array.from({ length: KEPT_NAMES }, () => '')

/** Header names repeat from record to record: those last seen are kept, so that most need only be compared. */
function decodeName(data: Buffer, start: number, length: number): string {
  if (length === 0 || length > MAX_KEPT_NAME_BYTES) return data.toString('utf8', start, start + length)
  const slot = (length + data[start]! * 3 + data[start + length - 1]! * 5) & (KEPT_NAMES - 1)
  const known = kept[slot]!
  if (known.length === length && isSame(known, data, start)) return known
  const name = data.toString('utf8', start, start + length)
  if (name.length === length) kept[slot] = name // ASCII: a character for each byte, which is what `isSame` compares
  return name
}

function isSame(name: string, data: Buffer, start: number): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== data[start + i]) return false
  return true
}
