import type { Producer } from '@millrace/producer'
import { expect, vi } from 'vitest'
import { Consumer, type ConsumerEvents, type ConsumerOptions, type TopicPartition } from '../src/index.ts'

export type Protocol = 'classic' | 'consumer'
export const PROTOCOLS: readonly Protocol[] = ['classic', 'consumer']

/** Of each topic. */
export const PARTITIONS = 4

/** A consumer whose loop runs by itself; `error` is what ended it. */
export class Member {
  readonly consumer: Consumer
  readonly seen: string[] = []
  readonly events: Array<[keyof ConsumerEvents, unknown]> = []
  error: unknown = null
  readonly #loop: Promise<void>

  constructor(
    bootstrapServers: string,
    protocol: Protocol,
    groupId: string,
    topics: readonly string[] | RegExp,
    options: Partial<ConsumerOptions> = {},
  ) {
    const timing: Partial<ConsumerOptions> = protocol === 'classic' ? { heartbeatIntervalMs: 50, sessionTimeoutMs: 1_000 } : {}
    this.consumer = new Consumer({
      bootstrapServers,
      groupProtocol: protocol,
      groupId,
      topics,
      autoOffsetReset: 'earliest',
      retryBackoffMs: 10,
      ...timing,
      ...options,
    })
    for (const name of ['assigned', 'lost', 'zombie', 'rebalanceListenerFailed', 'topicRefused'] as const) {
      this.consumer.on(name, (event) => this.events.push([name, event]))
    }
    this.#loop = this.#run()
  }

  get partitions(): string[] {
    return textOf(this.consumer.assignment)
  }

  event<Name extends keyof ConsumerEvents>(name: Name): ConsumerEvents[Name] | undefined {
    return this.events.find(([one]) => one === name)?.[1] as ConsumerEvents[Name] | undefined
  }

  async close(): Promise<void> {
    await this.consumer.close()
    await this.#loop
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #run(): Promise<void> {
    try {
      for await (const { topic, partition, offset } of this.consumer) this.seen.push(`${topic}-${partition}@${offset}`)
    } catch (error) {
      this.error = error
    }
  }
}

export function textOf(partitions: readonly TopicPartition[]): string[] {
  return partitions.map(({ topic, partition }) => `${topic}-${partition}`).sort()
}

export function allOf(topic: string): string[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => `${topic}-${partition}`)
}

export async function until(condition: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(condition()).toBe(true), { timeout: 20_000, interval: 10 })
}

/** So many records, on all partitions by turns. */
export async function fillTopic(producer: Producer, topic: string, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, index) => ({ value: `${index}`, partition: index % PARTITIONS }))
  await producer.sendAll(topic, records)
}
