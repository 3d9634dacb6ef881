import { isRefusal } from '../core/outcome.ts'
import type { BrokerServices } from '../core/services.ts'
import type { Topic } from '../core/topic-registry.ts'
import { autoCreateTopic } from '../metadata/auto-create.ts'
import type { JournaledRecord, JournalRecord } from '../metadata/journal.ts'
import { LogJournal } from '../metadata/log-journal.ts'
import { OFFSETS_TOPIC } from '../metadata/topic-name.ts'
import { coordinatorPartition } from './java-hash.ts'

/** `__consumer_offsets`: created when first needed; a group's records lie in the partition that its id hashes to. */
export class OffsetsTopic {
  readonly #broker: Pick<BrokerServices, 'config' | 'controller' | 'topics'>
  readonly #journals = new Map<number, LogJournal>()

  constructor(broker: Pick<BrokerServices, 'config' | 'controller' | 'topics'>) {
    this.#broker = broker
  }

  /** Creates the topic if it is not there; false when that fails. */
  ensure(now: number): boolean {
    return this.#topic(now) !== null
  }

  /** False when the topic cannot be created. Throws StorageError. */
  append(groupId: string, records: readonly JournalRecord[], now: number): boolean {
    const topic = this.#topic(now)
    if (topic === null) return false
    this.#journal(topic, coordinatorPartition(groupId, topic.partitions.length)).append(records, now)
    return true
  }

  /** The partition that holds the group's records; undefined while the topic is not there. */
  partitionOf(groupId: string): number | undefined {
    const topic = this.#broker.topics.byName(OFFSETS_TOPIC)
    return topic === undefined ? undefined : coordinatorPartition(groupId, topic.partitions.length)
  }

  /** The partition's records, to be rewritten shorter. */
  journal(partition: number): LogJournal {
    return this.#journal(this.#broker.topics.byName(OFFSETS_TOPIC)!, partition)
  }

  replay(visit: (record: JournaledRecord) => void): void {
    const topic = this.#broker.topics.byName(OFFSETS_TOPIC)
    if (topic === undefined) return
    for (const { index } of topic.partitions) this.#journal(topic, index).replay(visit)
  }

  #topic(now: number): Topic | null {
    const known = this.#broker.topics.byName(OFFSETS_TOPIC)
    if (known !== undefined) return known
    const created = autoCreateTopic(this.#broker, OFFSETS_TOPIC, now)
    return isRefusal(created) ? null : created
  }

  #journal(topic: Topic, partition: number): LogJournal {
    let journal = this.#journals.get(partition)
    if (journal === undefined) this.#journals.set(partition, (journal = new LogJournal(topic.partitions[partition]!.log)))
    return journal
  }
}
