import type { Environment, TransportHandler } from '@millrace/client/internal'
import type { SimClock, SimTimer } from './sim-clock.ts'

/** How a process ends. `'process'`: its system closes its connections. `'machine'`: nobody is told anything. */
export type CrashKind = 'process' | 'machine'

/**
 * A process of its own in the simulation: what its clients see of time and network can be held up, or end for good. Time goes on while it is frozen, as for
 * a process that was stopped, or does not come to its event loop; what was to happen happens afterwards, in order.
 */
export class SimProcess {
  /** For the clients in this process. */
  readonly environment: Environment
  readonly #clock: SimClock
  readonly #timers = new Set<SimTimer>()
  readonly #transports = new Map<object, () => void>()
  #waiting: (() => void)[] = []
  #isFrozen = false
  #isCrashed = false
  #isDraining = false

  /** @param outside time and network as they are */
  constructor(clock: SimClock, outside: Environment) {
    this.#clock = clock
    this.environment = {
      clock: { now: () => clock.now(), after: (delayMs, action) => this.#after(delayMs, action) },
      random: () => outside.random(),
      connect: (endpoint, handler) => {
        const key = {}
        const transport = outside.connect(endpoint, this.#held(key, handler))
        const destroy = (): void => {
          this.#transports.delete(key)
          transport.destroy()
        }
        this.#transports.set(key, destroy)
        return { write: (chunks) => transport.write(chunks), destroy }
      },
    }
  }

  get isFrozen(): boolean {
    return this.#isFrozen
  }

  get isCrashed(): boolean {
    return this.#isCrashed
  }

  /** Timers that its clients have set. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  /** Connections that its clients have not closed. */
  get openConnections(): number {
    return this.#transports.size
  }

  /** Resolves after `delayMs`, or when it is thawed after that; never once it has crashed. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void (this.#isCrashed || this.#clock.after(delayMs, () => this.#happen(resolve))))
  }

  /** From now on nothing happens in it. */
  freeze(): void {
    this.#isFrozen = true
  }

  /** It goes on. */
  thaw(): void {
    this.#isFrozen = false
    this.#drain()
  }

  /** Nothing ever happens in it again. */
  crash(kind: CrashKind): void {
    this.#isCrashed = true
    this.#waiting = []
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    if (kind === 'process') for (const destroy of this.#transports.values()) destroy()
    this.#transports.clear()
  }

  #after(delayMs: number, action: () => void): SimTimer {
    if (this.#isCrashed) return { cancel: () => {} }
    let isCancelled = false
    const scheduled = this.#clock.after(delayMs, () =>
      this.#happen(() => {
        this.#timers.delete(timer)
        if (!isCancelled) action()
      }),
    )
    const timer: SimTimer = {
      cancel: () => {
        isCancelled = true
        scheduled.cancel()
        this.#timers.delete(timer)
      },
    }
    this.#timers.add(timer)
    return timer
  }

  #held(key: object, handler: TransportHandler): TransportHandler {
    // What is under way to a client that has closed the connection does not reach it.
    const tell = (action: () => void): void => this.#happen(() => void (this.#transports.has(key) && action()))
    return {
      onConnect: () => tell(() => handler.onConnect()),
      onData: (chunk) => {
        // The memory is read into again, now or later.
        const copy = Buffer.from(chunk)
        tell(() => {
          handler.onData(copy)
          copy.fill(0xa5)
        })
      },
      onDrain: () => tell(() => handler.onDrain()),
      onClose: (error) =>
        tell(() => {
          this.#transports.delete(key)
          handler.onClose(error)
        }),
    }
  }

  #happen(action: () => void): void {
    if (this.#isCrashed) return
    if (!this.#isFrozen && this.#waiting.length === 0) return action()
    this.#waiting.push(action)
    this.#drain()
  }

  /** One at a time, so that what follows from each comes before the next. */
  #drain(): void {
    if (this.#isDraining || this.#isFrozen || this.#waiting.length === 0) return
    this.#isDraining = true
    this.#clock.after(0, () => {
      this.#isDraining = false
      if (this.#isFrozen) return
      this.#waiting.shift()?.()
      this.#drain()
    })
  }
}
