import type { Api } from '@millrace/protocol'
import { createTopicsApi } from '@millrace/protocol/apis/create-topics'
import { decodeCorrelationId, decodeResponseBody, encodeRequestFrame, FrameSplitter, Reader } from '@millrace/protocol/internal'
import { parseBrokerConfig, type BrokerConfigValues } from '../src/config/broker-config.ts'
import { BrokerCore, type BrokerCoreOptions } from '../src/core/broker-core.ts'
import type { Clock, Timer } from '../src/core/clock.ts'
import type { Session } from '../src/core/server-session.ts'
import { MemoryStorage } from '../src/storage/memory-storage.ts'
import { NOW } from './log-fixtures.ts'

/** Time that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now: number = NOW
  #timers: { at: number; action: () => void }[] = []

  now(): number {
    return this.#now
  }

  /** Timers that have not rung. */
  get pending(): number {
    return this.#timers.length
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = { at: this.#now + delayMs, action }
    this.#timers.push(timer)
    return { cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) }
  }

  advance(ms: number): void {
    const target = this.#now + ms
    for (;;) {
      const [next] = this.#timers.filter((timer) => timer.at <= target).sort((left, right) => left.at - right.at)
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#now = Math.max(this.#now, next.at)
      next.action()
    }
    this.#now = target
  }
}

/** A client's end of a connection, byte for byte as over a socket, but synchronous. */
export class WireClient {
  readonly #session: Session
  readonly #splitter = new FrameSplitter(1 << 30)
  readonly #replies = new Map<number, Buffer>()
  #correlationId = 0
  /** Whether the broker cut the connection. */
  isClosed = false
  /** Whether the broker reads no more for now. */
  isPaused = false

  constructor(core: BrokerCore) {
    this.#session = core.connect({
      write: (chunks) => {
        for (const chunk of chunks) {
          this.#splitter.push(
            Buffer.from(chunk),
            (frame) => void this.#replies.set(decodeCorrelationId(new Reader(frame)), frame),
          )
        }
      },
      close: () => void (this.isClosed = true),
      pause: () => void (this.isPaused = true),
      resume: () => void (this.isPaused = false),
    })
  }

  /** Sends a request and returns the way to its reply: null while there is none. */
  send<Request, Response>(api: Api<Request, Response>, version: number, request: Request): () => Response | null {
    const id = ++this.#correlationId
    this.#session.receive(Buffer.concat(encodeRequestFrame(api, version, id, 'test', request)))
    return () => {
      const frame = this.#replies.get(id)
      if (frame === undefined) return null
      const reader = new Reader(frame)
      decodeCorrelationId(reader)
      return decodeResponseBody(api, version, reader)
    }
  }

  /** Sends a request that is answered at once. */
  ask<Request, Response>(api: Api<Request, Response>, version: number, request: Request): Response {
    const reply = this.send(api, version, request)()
    if (reply === null) throw new Error(`no reply to ${api.name}`)
    return reply
  }

  disconnect(): void {
    this.#session.closed()
  }
}

export interface TestBroker {
  readonly core: BrokerCore
  readonly clock: ManualClock
  readonly client: WireClient
  /** Creates a topic and returns its id. */
  createTopic(name: string, partitions?: number, configs?: Readonly<Record<string, string>>): string
}

/** A broker in memory, with a connected client. */
export function startBroker(
  options: Partial<Omit<BrokerCoreOptions, 'config'>> = {},
  config: BrokerConfigValues = {},
): TestBroker {
  const clock = new ManualClock()
  let seed = 1
  const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647
  const core = new BrokerCore({
    clock,
    random,
    storage: new MemoryStorage(),
    nodeId: 1,
    clusterId: 'AAAAAAAAAAAAAAAAAAAAAg',
    ...options,
    config: parseBrokerConfig(config),
  })
  const client = new WireClient(core)
  const createTopic: TestBroker['createTopic'] = (name, partitions = 1, configs = {}) => {
    const entries = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    const topic = { name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: entries }
    const response = client.ask(createTopicsApi, 7, { topics: [topic], timeoutMs: 1000, validateOnly: false })
    const created = response.topics[0]!
    if (created.errorCode !== 0) throw new Error(`CreateTopics: ${created.errorCode} ${created.errorMessage}`)
    return created.topicId
  }
  return { core, clock, client, createTopic }
}
