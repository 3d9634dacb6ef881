import { Admin } from '@millrace/admin'
import { Consumer, type ConsumerOptions, type ConsumerRecord } from '@millrace/consumer-group'
import { Producer, type ProducerOptions } from '@millrace/producer'
import { onTestFinished } from 'vitest'
import { uniqueName, type SuiteBroker } from '../suite.ts'

const WAIT_LIMIT_MS = 60_000
const WAIT_STEP_MS = 20

/** Clients of one test, which are closed when it ends, and its topics and groups, which are deleted. */
export class Clients {
  readonly admin: Admin
  readonly #bootstrapServers: string
  readonly #topics: string[] = []
  readonly #groups = new Set<string>()

  constructor(broker: SuiteBroker) {
    this.#bootstrapServers = broker.bootstrapServers
    this.admin = new Admin({ bootstrapServers: this.#bootstrapServers })
    onTestFinished(async () => {
      // Runs last, when the consumers have left.
      if (this.#topics.length > 0) await this.admin.deleteTopics(this.#topics, { throwOnFailure: false })
      if (this.#groups.size > 0) await this.admin.deleteGroups([...this.#groups], { throwOnFailure: false })
      await this.admin.close()
    })
  }

  producer(options: Partial<ProducerOptions> = {}): Producer {
    const producer = new Producer({ bootstrapServers: this.#bootstrapServers, ...options })
    onTestFinished(() => producer.close())
    return producer
  }

  consumer(topic: string, groupId: string, options: Partial<ConsumerOptions> = {}): Consumer {
    this.#groups.add(groupId)
    const consumer = new Consumer({
      bootstrapServers: this.#bootstrapServers,
      groupId,
      topics: [topic],
      autoOffsetReset: 'earliest',
      ...options,
    })
    onTestFinished(() => consumer.close())
    return consumer
  }

  /** A consumer without a group or topics. */
  reader(options: Partial<ConsumerOptions> = {}): Consumer {
    const consumer = new Consumer({ bootstrapServers: this.#bootstrapServers, autoOffsetReset: 'earliest', ...options })
    onTestFinished(() => consumer.close())
    return consumer
  }

  /** A topic of its own, deleted with the test. */
  async topic(numPartitions: number, configs: Readonly<Record<string, string>> = {}): Promise<string> {
    const name = this.topicName('topic')
    await this.admin.createTopics([{ name, numPartitions, configs }])
    await this.untilLed(name, numPartitions)
    return name
  }

  /** A name for a topic that the test lets come into being in another way. */
  topicName(prefix: string): string {
    const name = uniqueName(prefix)
    this.#topics.push(name)
    return name
  }

  /** A KRaft broker answers CreateTopics before its own view of the metadata has the leaders. */
  async untilLed(topic: string, numPartitions: number): Promise<void> {
    await until(async () => {
      const described = await this.admin.describeTopics([topic], { throwOnFailure: false })
      const partitions = described.values.get(topic)?.partitions ?? []
      return partitions.length === numPartitions && partitions.every((partition) => partition.leader !== null)
    }, `${topic} to have ${numPartitions} partitions with leaders`)
  }

  /** The offset of the group in each partition, by partition number; null where it has none. */
  async committed(groupId: string, topic: string): Promise<Map<number, number | null>> {
    const offsets = await this.admin.fetchGroupOffsets(groupId)
    return new Map([...offsets.values.values()].filter((one) => one.topic === topic).map((one) => [one.partition, one.offset]))
  }
}

/** A record that was read, copied out of its fetch. */
export interface Seen {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [string, string | null])[]
}

export function seen(record: ConsumerRecord): Seen {
  return {
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestamp,
    key: record.key?.toString() ?? null,
    value: record.value?.toString() ?? null,
    headers: record.headers.map(([name, value]) => [name, value?.toString() ?? null] as const),
  }
}

/** Reads `count` records, handles them all, and stops. */
export async function read(consumer: Consumer, count: number): Promise<Seen[]> {
  const records: Seen[] = []
  for await (const record of consumer) {
    records.push(seen(record))
    if (records.length === count) consumer.stop()
  }
  return records
}

/** For `toSorted`: numbers by size. */
export function ascending(left: number, right: number): number {
  return left - right
}

/** Waits for a condition, not for a time. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + WAIT_LIMIT_MS
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${WAIT_LIMIT_MS} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, WAIT_STEP_MS))
  }
}
