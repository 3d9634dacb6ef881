import { KafkaError } from '@millrace/protocol'
import { isA } from '@millrace/protocol/internal'
import type { KafkaRecord } from '@millrace/records/internal'
import type { Clock } from '@millrace/client/internal'
import { storedRecords } from '../fetch/consumer-batch.ts'
import { RUN_COPY_RETRIES, RUN_COPY_RETRY_MS } from '../limits.ts'
import { copyOf } from './copy-headers.ts'
import { isBatch, isLogAppendTime } from './cursor-source.ts'
import { RecordCopyError } from './run-errors.ts'
import type { FailurePolicy, RecordSender } from './run-options.ts'
import type { Task } from './task.ts'

export interface CopyTarget {
  readonly target: string
  /** After how long it is to be handled again; null for never. */
  readonly delayMs: number | null
}

/** Copies records whose handler failed to retry and dead-letter topics. */
export class RecordCopier {
  readonly #policy: FailurePolicy
  readonly #groupId: string | null
  readonly #clock: Clock
  readonly #random: () => number

  constructor(policy: FailurePolicy, groupId: string | null, clock: Clock, random: () => number) {
    this.#policy = policy
    this.#groupId = groupId
    this.#clock = clock
    this.#random = random
  }

  /**
   * Resolves when every record of the task that was not handled is stored in the target.
   * @throws {RecordCopyError} naming the first that is not, after some attempts: unless the first took long, or no other can help
   */
  async copy(task: Task, { target, delayMs }: CopyTarget, error: unknown): Promise<void> {
    const { stored, attempt, offset } = task
    const records = isBatch(stored) ? storedRecords(stored, offset) : [stored as KafkaRecord]
    const dueAt = delayMs === null ? null : this.#clock.now() + delayMs
    const reason = { target, groupId: this.#groupId, attempts: attempt, error, dueAt }
    await Promise.all(
      Array.from(records, (record) => this.#copyOne(record, { ...reason, isLogAppendTime: isLogAppendTime(record) })),
    )
  }

  async #copyOne(record: KafkaRecord, reason: Parameters<typeof copyOf>[1]): Promise<void> {
    const producer = this.#policy.producer as RecordSender
    const until = this.#clock.now() + RUN_COPY_RETRY_MS
    for (let attempt = 0; ; attempt++) {
      try {
        await producer.send(copyOf(record, reason))
        return
      } catch (cause) {
        const isLast = attempt === RUN_COPY_RETRIES || this.#clock.now() >= until || isFinal(cause)
        if (isLast) throw new RecordCopyError(record, reason.target, reason.error, cause)
        await this.#sleep(this.#policy.backoff.delayMs(attempt, this.#random()))
      }
    }
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(delayMs, resolve))
  }
}

function isFinal(cause: unknown): boolean {
  return isA(cause, KafkaError) && !cause.retriable
}
