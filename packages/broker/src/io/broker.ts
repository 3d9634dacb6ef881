import { AssertionError } from 'node:assert'
import { KafkaError } from '@millrace/protocol'
import { BrokerCore } from '../core/broker-core.ts'
import type { Faults } from '../faults/faults.ts'
import type { RequestJournal } from '../faults/request-journal.ts'
import { CLOSE_GRACE_MS } from '../limits.ts'
import { randomUuid } from '../metadata/uuid.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'
import { resolveBrokerOptions, type BrokerOptions, type ResolvedBrokerOptions } from './broker-options.ts'
import { BrokerStartError } from './broker-start-error.ts'
import { DataDirectory } from './data-directory.ts'
import { DiskStorage } from './disk-storage.ts'
import { realClock } from './real-clock.ts'
import { TcpListener } from './tcp-listener.ts'

/**
 * A Kafka broker in this process: one node, in memory or on a directory. Any Kafka client can use it.
 *
 * ```ts
 * await using broker = await Broker.start({ port: 0 })
 * broker.bootstrapServers // '127.0.0.1:49152'
 * ```
 */
export class Broker {
  /** Where clients connect: `host:port` as it is advertised to them. */
  readonly bootstrapServers: string
  /** Faults that tests set: an API answered with an error, late, never, or not to the end. */
  readonly faults: Faults
  /** The journal of the requests that came; off until it is started. */
  readonly requests: RequestJournal
  /** The port that is bound. */
  readonly port: number
  readonly clusterId: string
  readonly nodeId: number
  readonly #core: BrokerCore
  readonly #listener: TcpListener
  readonly #directory: DataDirectory | null
  #closing: Promise<void> | null = null

  private constructor(parts: {
    options: ResolvedBrokerOptions
    core: BrokerCore
    listener: TcpListener
    directory: DataDirectory | null
    clusterId: string
  }) {
    const { options, core, listener, directory } = parts
    this.#core = core
    this.faults = core.door.faults
    this.requests = core.door.requests
    this.#listener = listener
    this.#directory = directory
    this.port = listener.port
    this.nodeId = options.nodeId
    this.clusterId = parts.clusterId
    const endpoint = { host: options.advertisedHost, port: options.advertisedPort ?? listener.port }
    core.advertise(endpoint)
    this.bootstrapServers = `${endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`
  }

  /**
   * Starts a broker; it serves when the promise resolves. On a data directory it continues where the last one stopped.
   * @throws ConfigError for a wrong option
   * @throws BrokerStartError when the port or the data directory cannot be used; its message says what to do
   */
  static async start(options: BrokerOptions = {}): Promise<Broker> {
    const resolved = resolveBrokerOptions(options)
    const { dataDir, nodeId } = resolved
    const directory = dataDir === undefined ? null : DataDirectory.open(dataDir, { nodeId, clusterId: resolved.clusterId })
    let core: BrokerCore | null = null
    try {
      const clusterId = directory?.meta.clusterId ?? resolved.clusterId ?? randomUuid(Math.random)
      const loaded = load(resolved, directory, clusterId)
      core = loaded
      const { host, port, config } = resolved
      const listening = { host, port, maxIdleMs: config.connectionsMaxIdleMs }
      const listener = await TcpListener.listen(listening, (channel) => loaded.connect(channel))
      return new Broker({ options: resolved, core: loaded, listener, directory, clusterId })
    } catch (error) {
      core?.close()
      directory?.release()
      throw error
    }
  }

  /**
   * Stops taking connections, ends those there are and closes the logs, so that the next start need not recover. Every call
   * returns the same promise. Rejects when the disk refuses the last writes; nothing that was acknowledged is lost then.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const gone = this.#listener.close(CLOSE_GRACE_MS)
    try {
      this.#core.close()
    } finally {
      await gone
      this.#directory?.release()
    }
  }
}

function load(options: ResolvedBrokerOptions, directory: DataDirectory | null, clusterId: string): BrokerCore {
  const { config, nodeId, flush } = options
  const storage = directory === null ? new MemoryStorage() : new DiskStorage(directory.path, { syncWrites: flush === 'fsync' })
  try {
    return new BrokerCore({ clock: realClock, random: Math.random, storage, config, nodeId, clusterId, flush })
  } catch (error) {
    // An assertion fails when the metadata log contradicts itself.
    if (directory === null || !(error instanceof KafkaError || error instanceof AssertionError)) throw error
    const message = `cannot load the data directory ${directory.path}: ${error.message}. Restore it from a copy, or choose another directory`
    throw new BrokerStartError('DATA_DIR_CORRUPT', message, error)
  }
}
