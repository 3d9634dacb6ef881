import type { BrokerEvents } from '../core/broker-events.ts'
import type { Deadlines } from '../core/deadlines.ts'
import { ROLL_UP_BATCH_RECORDS, ROLL_UP_GROWTH, ROLL_UP_MIN_BYTES, ROLL_UP_RETRY_MS } from '../limits.ts'
import type { JournalRecord } from '../metadata/journal.ts'
import { recordsOf } from '../consumer-groups/consumer-group.ts'
import { encodeConsumerRecord } from '../consumer-groups/consumer-records.ts'
import type { Group } from './group-coordinator.ts'
import type { GroupOffsets } from './group-offsets.ts'
import { groupRecord, offsetRecord } from './offset-records.ts'
import type { OffsetsTopic } from './offsets-topic.ts'

export interface RollUpDependencies {
  readonly log: OffsetsTopic
  readonly events: BrokerEvents
  readonly deadlines: Deadlines
  readonly groups: ReadonlyMap<string, Group>
  readonly offsets: GroupOffsets
}

/**
 * Keeps the offsets topic short. Kafka compacts it; here the coordinator, which has the whole state in memory, writes that state once
 * more and then forgets what lies before. A crash in between leaves both, which replay to the same state.
 */
export class RollUp {
  readonly #deps: RollUpDependencies
  /** By partition: the size at which it is rolled up. */
  readonly #limits = new Map<number, number>()
  readonly #bytes = new Map<number, number>()
  readonly #scheduled = new Set<number>()

  constructor(dependencies: RollUpDependencies) {
    this.#deps = dependencies
  }

  /** Counts what was appended; once it is much, a roll-up follows after the present step (the state is not changed yet). */
  appended(groupId: string, records: readonly JournalRecord[], now: number): void {
    const partition = this.#deps.log.partitionOf(groupId)
    if (partition === undefined) return
    let bytes = this.#bytes.get(partition) ?? this.#deps.log.journal(partition).bytes
    for (const { key, value } of records) bytes += (key?.length ?? 0) + (value?.length ?? 0)
    this.#bytes.set(partition, bytes)
    if (bytes >= (this.#limits.get(partition) ?? ROLL_UP_MIN_BYTES)) this.#schedule(partition, now)
  }

  #schedule(partition: number, at: number): void {
    if (this.#scheduled.has(partition)) return
    this.#scheduled.add(partition)
    this.#deps.deadlines.schedule(at, (now) => {
      this.#scheduled.delete(partition)
      this.#run(partition, now)
    })
  }

  #run(partition: number, now: number): void {
    const groups = [...this.#deps.groups.values()].filter(({ id }) => this.#deps.log.partitionOf(id) === partition)
    // What the log says of a group amid a rebalance is not what is in memory.
    const busy = groups.some(({ type, state }) => type === 'classic' && state !== 'Stable' && state !== 'Empty')
    if (busy) return this.#schedule(partition, now + ROLL_UP_RETRY_MS)
    const journal = this.#deps.log.journal(partition)
    const start = journal.nextOffset
    try {
      for (const batch of inBatches(this.#state(groups))) journal.append(batch, now)
      journal.forgetBefore(start)
    } catch (error) {
      this.#deps.events.storageFailed({ what: `roll up partition ${partition} of the offsets topic`, error })
    }
    const { bytes } = journal
    this.#bytes.set(partition, bytes)
    this.#limits.set(partition, Math.max(bytes + ROLL_UP_MIN_BYTES, bytes * ROLL_UP_GROWTH))
  }

  *#state(groups: readonly Group[]): Iterable<JournalRecord> {
    for (const group of groups) {
      if (group.type === 'classic') yield groupRecord(group, new Map())
      else for (const record of recordsOf(group)) yield encodeConsumerRecord(record)
      for (const [topic, partitions] of this.#deps.offsets.of(group.id)) {
        for (const [partition, commit] of partitions) yield offsetRecord(group.id, topic, partition, commit)
      }
    }
  }
}

function* inBatches(records: Iterable<JournalRecord>): Iterable<JournalRecord[]> {
  let batch: JournalRecord[] = []
  for (const record of records) {
    batch.push(record)
    if (batch.length < ROLL_UP_BATCH_RECORDS) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
