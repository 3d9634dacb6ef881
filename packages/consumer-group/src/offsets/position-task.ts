import type { KafkaError } from '@millrace/protocol'
import { isRetriable, type ClusterClient, type RetryPolicy } from '@millrace/client/internal'
import type { PartitionCursor, PositionPhase } from '../fetch/partition-cursor.ts'

/** Tries for some partitions once: what it settles leaves the phase. What it throws concerns all that are left in it. */
export type PositionAttempt = (cursors: readonly PartitionCursor[]) => Promise<void>

export interface PositionListener {
  /** Positions were found, or partitions may be fetched again. */
  settled(): void
  /** The partition's position cannot be found; it is `failed` now. */
  positionFailed(cursor: PartitionCursor, error: KafkaError): void
}

/**
 * Brings all partitions that are in one phase out of it: attempt after attempt, with backoff, until none is left. A failure that may pass is waited
 * out: it must never look like an answer. Partitions that are given up, or moved by a seek, leave by themselves.
 */
export class PositionTask {
  readonly #phase: PositionPhase
  readonly #attempt: PositionAttempt
  readonly #cluster: ClusterClient
  readonly #retryPolicy: RetryPolicy
  readonly #listener: PositionListener
  readonly #pending = new Set<PartitionCursor>()
  #isRunning = false

  constructor(
    phase: PositionPhase,
    attempt: PositionAttempt,
    cluster: ClusterClient,
    retryPolicy: RetryPolicy,
    listener: PositionListener,
  ) {
    this.#phase = phase
    this.#attempt = attempt
    this.#cluster = cluster
    this.#retryPolicy = retryPolicy
    this.#listener = listener
  }

  add(cursor: PartitionCursor): void {
    this.#pending.add(cursor)
    if (this.#isRunning) return
    this.#isRunning = true
    // In a turn of its own, so that partitions which come one after another are asked about together.
    void Promise.resolve().then(() => this.#work())
  }

  async #work(): Promise<void> {
    for (let failures = 0; this.#left().length > 0;) {
      const cursors = this.#left()
      try {
        await this.#attempt(cursors)
        failures = 0
        this.#listener.settled()
      } catch (error) {
        if (!isRetriable(error)) {
          this.#fail(cursors, error as KafkaError)
          continue
        }
        this.#listener.settled()
        const delayMs = this.#retryPolicy.delayMs(failures++, this.#cluster.environment.random())
        try {
          await this.#cluster.sleep(delayMs)
        } catch {
          break // The consumer is closed.
        }
      }
    }
    this.#isRunning = false
  }

  #left(): PartitionCursor[] {
    for (const cursor of this.#pending) {
      if (!cursor.isActive || cursor.phase !== this.#phase) this.#pending.delete(cursor)
    }
    return [...this.#pending]
  }

  #fail(cursors: readonly PartitionCursor[], error: KafkaError): void {
    for (const cursor of cursors) {
      if (!cursor.isActive || cursor.phase !== this.#phase) continue
      cursor.fail()
      this.#listener.positionFailed(cursor, error)
    }
  }
}
