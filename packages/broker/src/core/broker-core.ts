import type { BrokerConfig } from '../config/broker-config.ts'
import { resolveTopicConfig } from '../config/topic-config.ts'
import { FetchService } from '../fetch/fetch-service.ts'
import { GroupCoordinator } from '../coordinator/group-coordinator.ts'
import { OffsetsTopic } from '../coordinator/offsets-topic.ts'
import { allHandlers } from '../handlers/all-handlers.ts'
import { LogManager, type LogManagerOptions } from '../log/log-manager.ts'
import { TestDoor, type TestDoorDependencies } from '../faults/test-door.ts'
import { Controller } from '../metadata/controller.ts'
import { LogJournal } from '../metadata/log-journal.ts'
import { MetadataImage } from '../metadata/metadata-image.ts'
import { CLUSTER_METADATA_TOPIC } from '../metadata/topic-name.ts'
import type { Storage } from '../storage/storage.ts'
import { Alarm } from './alarm.ts'
import { ApiRouter } from './api-router.ts'
import { BrokerEvents } from './broker-events.ts'
import type { Clock } from './clock.ts'
import { ProducerIdAllocator } from './producer-id-allocator.ts'
import { ServerSession, type ClientChannel, type EndableSession } from './server-session.ts'
import type { BrokerServices, Endpoint } from './services.ts'
import { TopicStore } from './topic-store.ts'
import { Turns } from './turns.ts'

/** Uuid.METADATA_TOPIC_ID. */
const METADATA_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

export interface BrokerCoreOptions {
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly storage: Storage
  readonly config: BrokerConfig
  readonly nodeId: number
  readonly clusterId: string
  /** What Metadata tells clients; `advertise` changes it once the real port is known. */
  readonly endpoint?: Endpoint
  readonly flush?: NonNullable<LogManagerOptions['flush']>
  readonly flushIntervalMs?: number
}

/**
 * A whole broker without sockets, files or timers of its own: requests come in as bytes through `connect`, time through the
 * clock, and all state lives on one event loop.
 */
export class BrokerCore {
  readonly #logs: LogManager
  readonly #router = new ApiRouter(allHandlers)
  readonly #events = new BrokerEvents()
  readonly #turns = new Turns()
  readonly #services: BrokerServices
  /** Faults, and the journal of requests. */
  readonly door: TestDoor
  readonly #sessions = new Set<ServerSession>()
  readonly #logAlarm: Alarm
  readonly #groupAlarm: Alarm
  #endpoint: Endpoint
  #nextConnectionId = 1
  #closed = false

  /** Loads what the storage holds. Throws StorageError when it cannot be read, and ProtocolError when it is not ours to read. */
  constructor(options: BrokerCoreOptions) {
    const { clock, config, nodeId, clusterId, random } = options
    this.#endpoint = options.endpoint ?? { host: 'localhost', port: 9092 }
    this.#logs = new LogManager(options.storage, {
      now: () => clock.now(),
      flush: options.flush ?? 'os',
      ...(options.flushIntervalMs === undefined ? {} : { flushIntervalMs: options.flushIntervalMs }),
      retentionCheckIntervalMs: config.logRetentionCheckIntervalMs,
      producerIdExpirationMs: config.producerIdExpirationMs,
    })
    const image = new MetadataImage()
    const topics = new TopicStore(this.#logs)
    const journal = new LogJournal(this.#logs.open(CLUSTER_METADATA_TOPIC, METADATA_TOPIC_ID, 0, metadataLogConfig()))
    const controller = new Controller({ nodeId, config, image, journal, topics, events: this.#events, random })
    try {
      controller.load()
    } catch (error) {
      this.#logs.abandon()
      throw error
    }
    this.#logs.begin()
    controller.start(clock.now(), !this.#logs.wasClean)
    this.#logs.moveStraysAside()
    const groups = new GroupCoordinator({
      config,
      groupConfigs: (groupId) => image.groupConfigs(groupId),
      random,
      events: this.#events,
      topics,
      metadataVersion: () => journal.nextOffset,
      log: new OffsetsTopic({ config, controller, topics }),
      onEarlierDeadline: (at) => this.#groupAlarm.set(at),
    })
    this.#groupAlarm = new Alarm(clock, (now) => {
      this.#turns.run(() => groups.tick(now))
      this.#groupAlarm.set(groups.deadline)
    })
    groups.load(clock.now())
    topics.onDeleted((topic) => groups.topicDeleted(topic, clock.now()))
    topics.onGrowth(({ name }, isNew) => groups.topicChanged(name, isNew))
    const endpoint = (): Endpoint => this.#endpoint
    this.#services = {
      nodeId,
      clusterId,
      config,
      clock,
      random,
      events: this.#events,
      get endpoint() {
        return endpoint()
      },
      served: this.#router.served,
      topics,
      image,
      controller,
      producerIds: new ProducerIdAllocator(controller, clock),
      groups,
      fetches: new FetchService(clock, random),
    }
    const after: TestDoorDependencies['after'] = (delayMs, action) => clock.after(delayMs, () => this.#turns.run(action))
    this.door = new TestDoor({ handlers: allHandlers, nodeId, after })
    this.#logAlarm = new Alarm(clock, (now) => this.#turns.run(() => this.#tickLogs(now)))
    this.#logAlarm.set(this.#logs.deadline)
  }

  /** What handlers see; for tests and for those who embed the core. */
  get services(): BrokerServices {
    return this.#services
  }

  /** Tells clients from now on to reach this broker there. */
  advertise(endpoint: Endpoint): void {
    this.#endpoint = endpoint
  }

  /** Serves one client. The channel calls the session; the session writes to the channel. */
  connect(channel: ClientChannel): EndableSession {
    const session = new ServerSession(this.#nextConnectionId++, channel, {
      router: this.#router,
      services: this.#services,
      events: this.#events,
      turns: this.#turns,
      door: this.door,
    })
    this.#sessions.add(session)
    session.onClose(() => this.#sessions.delete(session))
    if (this.#closed) session.close('the broker is closed')
    return session
  }

  /** Cuts the connections, then closes the logs so that the next start need not recover. Safe to call twice. Throws StorageError. */
  close(): void {
    if (!this.#stop('the broker is closing')) return
    this.#logs.close()
  }

  /** Stops as a killed process does: nothing is written any more. For simulations. */
  abandon(): void {
    if (this.#stop('the broker is gone')) this.#logs.abandon()
  }

  #stop(reason: string): boolean {
    if (this.#closed) return false
    this.#closed = true
    this.#logAlarm.cancel()
    this.#groupAlarm.cancel()
    this.#turns.run(() => {
      for (const session of this.#sessions) session.close(reason)
    })
    this.#services.fetches.parked.close()
    this.door.close()
    return true
  }

  #tickLogs(now: number): void {
    try {
      this.#logs.tick(now)
    } catch (error) {
      this.#events.storageFailed({ what: 'retention or checkpoints', error })
    }
    this.#logAlarm.set(this.#logs.deadline)
  }
}

/** The metadata log keeps everything: there are no snapshots yet. */
function metadataLogConfig(): ReturnType<typeof resolveTopicConfig> {
  const overrides = new Map([
    ['retention.ms', '-1'],
    ['retention.bytes', '-1'],
  ])
  return resolveTopicConfig(overrides, new Map())
}
