/** Time from outside: the real clock lives in src/io, tests bring a simulated one. */
export interface Clock {
  /** Milliseconds since 1970, as record timestamps are. */
  now(): number
  /** Calls `action` once, `delayMs` from now at the earliest. */
  after(delayMs: number, action: () => void): Timer
}

export interface Timer {
  /** The action will not be called any more. Harmless when it was. */
  cancel(): void
}
