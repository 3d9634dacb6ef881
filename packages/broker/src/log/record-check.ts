import { VarintReader } from '@millrace/records/internal'
import { RECORD_ERRORS_MAX } from '../limits.ts'
import type { LogConfig } from './log-config.ts'
import { LogError, type RecordError } from './log-error.ts'

const NO_TIMESTAMP = -1

/** What a topic asks of each record of a batch; collects those that fail. */
export class RecordCheck {
  /** The largest timestamp of the records seen; -1 when none has one. */
  maxTimestamp: number = NO_TIMESTAMP
  /** Records seen, which is the offset that the next one must have. */
  count = 0
  readonly where: string
  readonly #keyRequired: boolean
  readonly #checkTimestamps: boolean
  readonly #earliest: number
  readonly #latest: number
  readonly #errors: RecordError[] = []
  #failed = 0
  #timestampFailed = false

  constructor(config: LogConfig, now: number, where: string) {
    this.where = where
    this.#keyRequired = config.compacted ?? false
    this.#checkTimestamps = config.messageTimestampType === 'CreateTime'
    this.#earliest = now - config.messageTimestampBeforeMaxMs
    this.#latest = now + config.messageTimestampAfterMaxMs
  }

  record(offsetDelta: number, timestamp: number, hasKey: boolean): void {
    const index = this.count++
    if (offsetDelta !== index) throw new LogError('INVALID_RECORD', `${this.where}: record ${index} has offset ${offsetDelta}`)
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp
    if (this.#keyRequired && !hasKey) this.#fail(index, 'a record of a compacted topic needs a key')
    else if (this.#checkTimestamps && timestamp !== NO_TIMESTAMP && (timestamp > this.#latest || timestamp < this.#earliest)) {
      this.#timestampFailed = true
      this.#fail(index, `timestamp ${timestamp} is outside ${this.#earliest} to ${this.#latest}`)
    }
  }

  throwIfAnyFailed(): void {
    if (this.#failed === 0) return
    const first = this.#errors[0]!
    const reason = this.#failed === 1 ? 'one record' : `${this.#failed} records`
    throw new LogError(
      this.#timestampFailed ? 'INVALID_TIMESTAMP' : 'INVALID_RECORD',
      `${this.where}: ${reason} refused, the first is record ${first.index}: ${first.message}`,
      this.#errors,
    )
  }

  #fail(index: number, message: string): void {
    this.#failed++
    if (this.#errors.length < RECORD_ERRORS_MAX) this.#errors.push({ index, message })
  }
}

/**
 * Hands each record of an uncompressed batch to `check` without making an object of it, and checks that the records fill
 * `[position, end)` exactly. Throws LogError INVALID_RECORD where the bytes contradict themselves.
 */
export function checkRecords(
  data: Buffer,
  position: number,
  end: number,
  count: number,
  baseTimestamp: number,
  check: RecordCheck,
): void {
  const reader = new RecordFields(data, position, end, check.where)
  for (let index = 0; index < count; index++) {
    const recordEnd = reader.beginRecord()
    const timestamp = baseTimestamp + reader.timestampDelta()
    const offsetDelta = reader.varint()
    const keyLength = reader.field()
    reader.field()
    reader.headers(recordEnd)
    check.record(offsetDelta, timestamp, keyLength >= 0)
  }
  if (reader.position !== end) throw reader.broken(`${end - reader.position} bytes follow its last record`)
}

/** The fields of records, one after another. Never reads past the end. */
class RecordFields {
  position: number
  readonly #data: Buffer
  readonly #end: number
  readonly #where: string

  constructor(data: Buffer, position: number, end: number, where: string) {
    this.#data = data
    this.position = position
    this.#end = end
    this.#where = where
  }

  /** Passes the length and the attributes, which are unused, and returns where the record ends. */
  beginRecord(): number {
    const length = this.varint()
    const recordEnd = this.position + length
    if (length <= 0 || recordEnd > this.#end) throw this.broken(`a record of ${length} bytes`)
    this.position++
    return recordEnd
  }

  varint(): number {
    const position = this.position
    if (position < this.#end) {
      const first = this.#data[position]!
      if (first < 0x80) {
        this.position = position + 1
        return (first >>> 1) ^ -(first & 1)
      }
      const second = position + 1 < this.#end ? this.#data[position + 1]! : 0x80
      if (second < 0x80) {
        this.position = position + 2
        const zigzag = (first & 0x7f) | (second << 7)
        return (zigzag >>> 1) ^ -(zigzag & 1)
      }
    }
    const reader = new VarintReader(this.#data, position, this.#end)
    const value = reader.varint()
    if (value === null) throw this.broken('a number that does not end')
    this.position = reader.position
    return value
  }

  timestampDelta(): number {
    const first = this.position < this.#end ? this.#data[this.position]! : 0x80
    if (first < 0x80) {
      this.position++
      return (first >>> 1) ^ -(first & 1)
    }
    const reader = new VarintReader(this.#data, this.position, this.#end)
    const delta = Number(reader.varlong() ?? Number.NaN)
    if (!Number.isSafeInteger(delta)) throw this.broken('a timestamp that is no number')
    this.position = reader.position
    return delta
  }

  /** Passes a key or value and returns its length; -1 for null. */
  field(): number {
    const length = this.varint()
    if (length < -1 || length > this.#end - this.position) throw this.broken(`a field of ${length} bytes`)
    if (length > 0) this.position += length
    return length
  }

  /** Passes the headers, which must end where the record does. */
  headers(recordEnd: number): void {
    const count = this.varint()
    if (count < 0 || count > recordEnd - this.position) throw this.broken(`${count} headers`)
    for (let index = 0; index < count; index++) {
      if (this.field() < 0) throw this.broken('a header without a name')
      this.field()
    }
    if (this.position !== recordEnd) throw this.broken('a record whose fields do not fill it')
  }

  broken(what: string): LogError {
    return new LogError('INVALID_RECORD', `${this.#where}: the batch holds ${what}`)
  }
}
