import { groupTombstone } from '../coordinator/offset-records.ts'
import type { ClassicGroup } from '../coordinator/classic-group.ts'
import type { JournalRecord } from '../metadata/journal.ts'
import { ConsumerGroup, tombstonesOf } from './consumer-group.ts'
import { encodeConsumerRecord, type ConsumerRecord } from './consumer-records.ts'

/**
 * What a request does to a group: records, and the group as it is once they are stored. The group itself is not touched before; a
 * refusal, or a disk that is full, leaves it as it was.
 */
export class GroupChange {
  readonly id: string
  /** As it was; null when it is new as a consumer group. */
  readonly base: ConsumerGroup | null
  readonly records: JournalRecord[] = []
  readonly #afterwards: ((now: number) => void)[] = []
  #group: ConsumerGroup
  #isCopy: boolean
  #successor: ClassicGroup | null = null

  private constructor(base: ConsumerGroup | null, group: ConsumerGroup) {
    this.id = group.id
    this.base = base
    this.#group = group
    this.#isCopy = base === null
  }

  static of(group: ConsumerGroup): GroupChange {
    return new GroupChange(group, group)
  }

  /** @param replaces the classic group whose place it takes */
  static toNew(id: string, replaces: ClassicGroup | null): GroupChange {
    const change = new GroupChange(null, new ConsumerGroup(id))
    if (replaces !== null) change.records.push(groupTombstone(id))
    return change
  }

  /** The group with the records so far. */
  get group(): ConsumerGroup {
    return this.#group
  }

  /** The classic group that takes its place; null when it stays a consumer group. */
  get successor(): ClassicGroup | null {
    return this.#successor
  }

  add(record: ConsumerRecord): void {
    if (!this.#isCopy) {
      this.#group = new ConsumerGroup(this.id, this.#group)
      this.#isCopy = true
    }
    this.#group.apply(record)
    this.records.push(encodeConsumerRecord(record))
  }

  /** Ends the consumer group in favour of a classic one. */
  becomeClassic(successor: ClassicGroup, record: JournalRecord): void {
    for (const tombstone of tombstonesOf(this.#group)) this.records.push(encodeConsumerRecord(tombstone))
    this.records.push(record)
    this.#successor = successor
  }

  /** What is to be done once the records are stored: timers, replies. */
  afterwards(action: (now: number) => void): void {
    this.#afterwards.push(action)
  }

  finish(now: number): void {
    for (const action of this.#afterwards) action(now)
  }
}
