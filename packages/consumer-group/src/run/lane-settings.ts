/** What is handled one after another: all of a partition, what has the same key there, or nothing. */
export type RunOrder = 'partition' | 'key' | 'none'

export interface LaneSettings {
  readonly orderedBy: RunOrder
  /** The most items between the first that is not over and the last taken. */
  readonly windowRecords: number
  /** Of what is taken and not over; one item may be larger. */
  readonly windowBytes: number
  /** For how long an item that is not due yet is kept in hand, rather than given back and read again. */
  readonly holdMs: number
  /** Whether the items are batches, of which a part can be handled. */
  readonly isBatched: boolean
}
