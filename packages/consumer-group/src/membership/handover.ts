import type { Clock } from '@millrace/client/internal'
import { CLOSE_LISTENER_TIMEOUT_MS } from '../limits.ts'
import { difference, type TopicPartition } from '../topic-partition.ts'
import type { PartitionOwner } from './membership.ts'
import type { RebalanceHook } from './rebalance-hook.ts'

interface Step {
  /** How often everything was lost before it was asked for: it does nothing when that happened again. */
  readonly losses: number
  /** Null: done at once. */
  run(): Promise<void> | null
}

/**
 * Hands partitions to the owner and takes them from it, one change after another: each waits until the application's
 * listener is done with the one before it, as in Java, where all of that runs on the polling thread.
 */
export class Handover {
  readonly #owner: PartitionOwner
  readonly #hook: RebalanceHook
  readonly #steps: Step[] = []
  #isRunning = false
  #losses = 0
  /** What the owner was given. */
  #held: readonly TopicPartition[] = []
  #endRevoking: () => void = noop

  constructor(owner: PartitionOwner, hook: RebalanceHook) {
    this.#owner = owner
    this.#hook = hook
  }

  /** @param done called once the partitions may be fetched; never when they are lost before */
  assign(partitions: readonly TopicPartition[], generationId: number, done: () => void = noop): void {
    const losses = this.#losses
    const run = (): Promise<void> | null => {
      this.#held = [...this.#held, ...partitions]
      this.#owner.assigning(partitions, generationId)
      return after(this.#hook.call('assigned', partitions), () => {
        if (losses !== this.#losses) return
        this.#owner.assigned(partitions, generationId)
        done()
      })
    }
    this.#add({ losses, run })
  }

  /** @param done called once they are given up; never when they are lost before */
  revoke(partitions: readonly TopicPartition[], done: () => void): void {
    const losses = this.#losses
    const run = async (): Promise<void> => {
      // A loss ends the wait for what is in the application's hands: it is not ours to commit any more.
      const lost = new Promise<void>((resolve) => (this.#endRevoking = resolve))
      await Promise.race([this.#owner.revoking(partitions), lost])
      if (losses !== this.#losses) return
      await this.#hook.call('revoked', partitions)
      if (losses !== this.#losses) return
      this.#held = difference(this.#held, partitions)
      this.#owner.revoked(partitions)
      done()
    }
    this.#add({ losses, run })
  }

  /**
   * Everything is lost: the owner knows at once, the listener when it is done with what it is at.
   * @param done called once the listener knows
   */
  lose(reason: string, done: () => void = noop): void {
    this.#losses++
    const partitions = this.#held
    this.#held = []
    this.#endRevoking()
    if (partitions.length > 0) this.#owner.lost(partitions, reason)
    this.#add({ losses: Infinity, run: () => after(this.#hook.call('lost', partitions), done) })
  }

  /** The member leaves: the listener is told that everything is given up. What else was to come does not come any more. */
  release(): Promise<void> {
    this.#losses++
    const partitions = this.#held
    this.#held = []
    this.#endRevoking()
    return new Promise((resolve) => {
      this.#add({ losses: Infinity, run: () => after(this.#hook.call('revoked', partitions), resolve) })
    })
  }

  /** What the listener is at is not waited for any more. */
  abandon(): void {
    this.#hook.end()
  }

  #add(step: Step): void {
    this.#steps.push(step)
    if (!this.#isRunning) this.#next()
  }

  #next(): void {
    for (let step = this.#steps.shift(); step !== undefined; step = this.#steps.shift()) {
      if (step.losses < this.#losses) continue
      this.#isRunning = true
      const running = step.run()
      if (running !== null) {
        void running.then(() => {
          this.#isRunning = false
          this.#next()
        })
        return
      }
      this.#isRunning = false
    }
  }
}

/** As `release`, for as long as `close` may take: what the listener is at then is not waited for. */
export async function releaseInTime(handover: Handover, clock: Clock): Promise<void> {
  await inTime(handover.release(), CLOSE_LISTENER_TIMEOUT_MS, clock)
  handover.abandon()
}

/** Resolves when `wait` does, which does not reject, or so much later. */
export function inTime(wait: Promise<void>, limitMs: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(limitMs, resolve)
    void wait.then(() => {
      timer.cancel()
      resolve()
    })
  })
}

function after(wait: Promise<void> | null, action: () => void): Promise<void> | null {
  if (wait !== null) return wait.then(action)
  action()
  return null
}

function noop(): void {}
