/** A record as the state machines write it. */
export interface JournalRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
}

/** A record as it is read back. */
export interface JournaledRecord extends JournalRecord {
  readonly offset: number
  /** Epoch ms at which it was appended. */
  readonly timestamp: number
}

/** A log of state changes: the metadata log, one partition of the offsets topic. */
export interface Journal {
  /** Appends the records as one batch: after a crash all of them are there or none. Throws a StorageError when it cannot. */
  append(records: readonly JournalRecord[], now: number): void
  /** All records that are there, oldest first. */
  replay(visit: (record: JournaledRecord) => void): void
}
