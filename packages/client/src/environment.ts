/** The time and the timers that a client works with. Simulations pass their own. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Runs `action` once, `delayMs` from now, unless it is cancelled before. */
  after(delayMs: number, action: () => void): Timer
}

export interface Timer {
  cancel(): void
}

/** What a transport tells its owner. After `onClose` it says nothing more. */
export interface TransportHandler {
  onConnect(): void
  /** The chunk is the handler's during the call only: its memory is read into again, unless it is of `room`. */
  onData(chunk: Buffer): void
  /** Where the handler would have the next bytes, if it cares: a transport may read straight into it, and then hands that to `onData`. */
  readonly room?: Buffer | null
  /** Follows a `write` that returned false, as soon as there is room again. */
  onDrain(): void
  /** The connection failed, or is at its end (`null`: the other side closed it in order). */
  onClose(error: Error | null): void
}

/** A byte stream to one broker. A transport that adds TLS is one of these around another. */
export interface Transport {
  /** Queues the chunks in order, without copying them. False asks the caller to wait for `onDrain` before the next write. */
  write(chunks: readonly Buffer[]): boolean
  /** What was written leaves now, not together with all else that is written in this turn. For transports that wait for that. */
  flush?(): void
  /** Ends the connection now; no handler is called afterwards. */
  destroy(): void
}

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Everything a client takes from the outside world: time, chance and the network. */
export interface Environment {
  readonly clock: Clock
  /** At least 0 and below 1. */
  random(): number
  connect(endpoint: Endpoint, handler: TransportHandler): Transport
}
