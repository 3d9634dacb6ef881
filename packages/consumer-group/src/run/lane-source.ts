import type { Loading } from '../fetch/record-feed.ts'
import type { Task } from './task.ts'

/** One partition as a lane sees it: where its items come from, and who is told what becomes of them. */
export interface LaneSource {
  readonly topic: string
  readonly partition: number
  /** False once it is being given up, or was taken from us. */
  readonly isOurs: boolean
  /** Whether others may have it by now, so that nothing of it can be committed. */
  readonly isLost: boolean
  readonly isPaused: boolean
  /** Changes when the position is set by anything but reading. */
  readonly serial: number
  /** Whether anything that was taken is in hand still. */
  readonly isInHand: boolean
  /** Whether `next` has something to say. */
  readonly hasMore: boolean
  /** Whether it is given up only once nothing is in hand any more, so that there is a point in handling what was taken. */
  readonly mayFinish: boolean
  /**
   * Puts the next item into `task`: false when there is none yet.
   * @throws {KafkaError} that stops the partition
   */
  next(task: Task): Loading | boolean
  /**
   * What was taken last was handled, as everything before it: puts the next item in its place. False when there is none yet, or none that may begin at once:
   * then `handled` and `next` are called still.
   * @throws {KafkaError} that stops the partition
   */
  goOn(task: Task): boolean
  /** Fills in what else there is to say of the item in `task`, for when its handler has to wait. */
  describe(task: Task): void
  /** What the item is handled in order with; asked only when the order is by key. */
  chainOf(task: Task): number
  /** All that was taken was handled. */
  handled(): void
  /** What lies before `offset` was handled; `epoch` is the leader epoch of the record before it. */
  handledUpTo(offset: number, epoch: number): void
  /** What was taken and not handled comes again. */
  giveBack(): void
}
