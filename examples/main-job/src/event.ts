/** One event before it has a place in a topic. */
export interface MainJobEvent {
  readonly key: string
  readonly value: string
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly headers: [name: string, value: string][]
}
