/** What a key, a value or a header's value may be given as. A string is written as UTF-8. */
export type RecordBytes = Uint8Array | string | null

/** A header of a record: names may repeat and their order is kept. */
export type RecordHeaderInput = readonly [name: string, value: RecordBytes]

/** A record to be written. */
export interface RecordInput {
  /** Epoch milliseconds; -1 for none. */
  readonly timestamp: number
  readonly key: RecordBytes
  readonly value: RecordBytes
  readonly headers?: readonly RecordHeaderInput[]
}
