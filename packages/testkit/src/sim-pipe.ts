import { SIM_SOCKET_BUFFER_BYTES } from './limits.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimClock } from './sim-clock.ts'
import type { NetworkFaults } from './sim-network.ts'

export interface PipeEnds {
  deliver(chunk: Buffer): void
  /** Less is under way than before. */
  drained(): void
  /** `end` was called and everything before it has arrived. */
  ended(): void
  /** A fault cut the connection; what follows is lost. */
  broken(): void
}

/** How much goes through a pipe. */
export interface PipeLoad {
  /** The pipe breaks after so many bytes. */
  readonly cutAt: number
  wrote(bytes: number): void
}

/** One direction of a connection: chunks arrive in order, late, in other pieces than they were sent, or not at all. */
export class SimPipe {
  readonly #clock: SimClock
  readonly #random: SeededRandom
  readonly #faults: () => NetworkFaults
  readonly #ends: PipeEnds
  readonly #load: PipeLoad
  /** Bytes until it breaks as planned. */
  #bytesLeft: number
  /** Chunks that have arrived while the reader is paused. */
  #held: (() => void)[] = []
  #isPaused = false
  #isStopped = false
  #isEnding = false
  #lastArrival = 0
  #bufferedBytes = 0

  constructor(clock: SimClock, random: SeededRandom, faults: () => NetworkFaults, load: PipeLoad, ends: PipeEnds) {
    this.#clock = clock
    this.#random = random
    this.#faults = faults
    this.#ends = ends
    this.#load = load
    this.#bytesLeft = load.cutAt
  }

  /** Bytes under way. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /** False when so much is under way that the writer should wait for `drained`. */
  write(chunks: readonly Buffer[]): boolean {
    if (this.#isStopped || this.#isEnding) return true
    const faults = this.#faults()
    for (const chunk of chunks) {
      if (chunk.length === 0) continue
      this.#load.wrote(chunk.length)
      if (chunk.length >= this.#bytesLeft) return this.#cutAfter(chunk, this.#bytesLeft)
      this.#bytesLeft -= chunk.length
      if (this.#random.chance(faults.cut)) return this.#cutAfter(chunk, this.#random.between(0, chunk.length - 1))
      if (chunk.length > 1 && this.#random.chance(faults.split)) {
        const at = this.#random.between(1, chunk.length - 1)
        this.#send(chunk.subarray(0, at))
        this.#send(chunk.subarray(at))
      } else this.#send(chunk)
    }
    return this.#bufferedBytes < SIM_SOCKET_BUFFER_BYTES
  }

  /** Closes in an orderly way, after everything that was written. */
  end(): void {
    if (this.#isStopped || this.#isEnding) return
    this.#isEnding = true
    this.#schedule(() => {
      this.#isStopped = true
      this.#ends.ended()
    })
  }

  /** Nothing arrives any more. */
  stop(): void {
    this.#isStopped = true
    this.#held = []
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    while (!this.#isPaused && this.#held.length > 0) this.#held.shift()!()
  }

  #cutAfter(chunk: Buffer, length: number): boolean {
    if (length > 0) this.#send(chunk.subarray(0, length))
    this.#isEnding = true
    this.#schedule(() => this.#ends.broken())
    return true
  }

  /**
   * The bytes are read when they arrive, not now: a socket may send them late too, so a writer that changes a buffer which it
   * has handed over is found out.
   */
  #send(chunk: Buffer): void {
    this.#bufferedBytes += chunk.length
    this.#schedule(() => {
      this.#bufferedBytes -= chunk.length
      this.#ends.deliver(Buffer.from(chunk))
      if (!this.#isStopped) this.#ends.drained()
    })
  }

  #schedule(action: () => void): void {
    const { delayMinMs, delayMaxMs } = this.#faults()
    const arrival = this.#clock.now() + this.#random.between(delayMinMs, delayMaxMs)
    this.#lastArrival = Math.max(this.#lastArrival, arrival)
    this.#clock.after(this.#lastArrival - this.#clock.now(), () => {
      if (this.#isStopped) return
      if (this.#isPaused || this.#held.length > 0) this.#held.push(() => this.#isStopped || action())
      else action()
    })
  }
}
