import { notAssigned } from './errors.ts'
import { PartitionCursor } from './fetch/partition-cursor.ts'
import type { TopicPartition } from './topic-partition.ts'

/** The partitions that are ours, each with where we stand in it. */
export class Assignment {
  readonly #cursors = new Map<string, Map<number, PartitionCursor>>()
  /** Being given up: nothing of them is handed out, but what was handled may still be committed. */
  readonly #leaving = new Map<string, Map<number, PartitionCursor>>()

  get size(): number {
    return this.#cursors.size
  }

  /** In the order in which they came. */
  get partitions(): TopicPartition[] {
    return [...this.cursors()].map(({ topic, partition }) => ({ topic, partition }))
  }

  *cursors(): Generator<PartitionCursor, void, undefined> {
    for (const partitions of this.#cursors.values()) yield* partitions.values()
  }

  get(topic: string, partition: number): PartitionCursor | undefined {
    return this.#cursors.get(topic)?.get(partition)
  }

  /** @throws {KafkaError} NOT_ASSIGNED */
  expect(call: string, topic: string, partition: number): PartitionCursor {
    const cursor = this.get(topic, partition)
    if (cursor === undefined) throw notAssigned(call, topic, partition)
    return cursor
  }

  /** As `expect`, or one that is being given up. */
  committable(call: string, topic: string, partition: number): PartitionCursor {
    return this.#leaving.get(topic)?.get(partition) ?? this.expect(call, topic, partition)
  }

  add(topic: string, partition: number): PartitionCursor {
    const cursor = new PartitionCursor(topic, partition)
    put(this.#cursors, cursor)
    return cursor
  }

  /** It is on its way out. */
  leave(cursor: PartitionCursor): void {
    take(this.#cursors, cursor)
    put(this.#leaving, cursor)
  }

  /** It is not ours any more. */
  remove(cursor: PartitionCursor): void {
    take(this.#cursors, cursor)
    take(this.#leaving, cursor)
  }

  /** Those of `partitions` that are ours, or on their way out. */
  find(partitions: readonly TopicPartition[]): PartitionCursor[] {
    return partitions.flatMap(({ topic, partition }) => {
      return this.#leaving.get(topic)?.get(partition) ?? this.get(topic, partition) ?? []
    })
  }
}

function put(index: Map<string, Map<number, PartitionCursor>>, cursor: PartitionCursor): void {
  const partitions = index.get(cursor.topic)
  if (partitions === undefined) index.set(cursor.topic, new Map([[cursor.partition, cursor]]))
  else partitions.set(cursor.partition, cursor)
}

function take(index: Map<string, Map<number, PartitionCursor>>, cursor: PartitionCursor): void {
  const partitions = index.get(cursor.topic)
  if (partitions?.get(cursor.partition) !== cursor) return
  partitions.delete(cursor.partition)
  if (partitions.size === 0) index.delete(cursor.topic)
}
