import type { Clock, Timer } from '@millrace/client/internal'
import type { EventSource } from '../events.ts'
import { RUN_HANDLER_LOOKS } from '../limits.ts'
import type { Task } from './task.ts'

/** Knows which handlers run, and tells of one that does not end. It looks a few times per `maxPollIntervalMs`, so that to begin one costs no look at the clock. */
export class HandlerWatch {
  readonly #maxPollIntervalMs: number
  readonly #clock: Clock
  readonly #events: EventSource
  readonly #running: Task[] = []
  #timer: Timer | null = null

  constructor(maxPollIntervalMs: number, clock: Clock, events: EventSource) {
    this.#maxPollIntervalMs = maxPollIntervalMs
    this.#clock = clock
    this.#events = events
  }

  start(): void {
    this.#timer = this.#clock.after(Math.ceil(this.#maxPollIntervalMs / RUN_HANDLER_LOOKS), () => {
      this.#look()
      this.start()
    })
  }

  stop(): void {
    this.#timer?.cancel()
  }

  began(task: Task): void {
    task.seenAt = -1
    task.isStuck = false
    task.slot = this.#running.push(task) - 1
  }

  ended(task: Task): void {
    const last = this.#running.pop()!
    if (last === task) return
    this.#running[task.slot] = last
    last.slot = task.slot
  }

  /** Those that still run are waited for no longer. */
  abandon(): void {
    this.#look()
    for (const task of this.#running) this.#tell(task, true)
  }

  #look(): void {
    const now = this.#clock.now()
    for (const task of this.#running) {
      if (task.seenAt < 0) task.seenAt = now
      if (task.isStuck || now - task.seenAt < this.#maxPollIntervalMs / 2) continue
      task.isStuck = true
      this.#tell(task, false)
    }
  }

  #tell({ offset, attempt, seenAt, lane }: Task, isAbandoned: boolean): void {
    const { topic, partition } = lane.source
    const runningMs = this.#clock.now() - seenAt
    this.#events.emit('handlerStuck', { topic, partition, offset, attempt, runningMs, isAbandoned })
  }
}
