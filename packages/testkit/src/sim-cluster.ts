import type { Environment } from '@millrace/client/internal'
import { BrokerCore, parseBrokerConfig } from '@millrace/broker/internal'
import { SIM_SYNC_MAX_MS } from './limits.ts'
import { SeededRandom } from './seeded-random.ts'
import { SimClock } from './sim-clock.ts'
import { SimDisk } from './sim-disk.ts'
import { SimNetwork, type NetworkFaults } from './sim-network.ts'

const ENDPOINT = { host: 'broker.sim', port: 9092 }
const CLUSTER_ID = 'SimulatedClusterIdAAAA'

export interface SimClusterOptions {
  readonly seed: number
  readonly faults?: Readonly<NetworkFaults>
  /** As `Broker.start`'s. Default 'os'. */
  readonly flush?: 'os' | 'fsync'
  /** Broker configuration by Kafka's names. */
  readonly config?: Readonly<Record<string, string | number | boolean>>
}

/** A broker with its clients' network, clock and disk in simulated time. Everything that happens follows from the seed. */
export class SimCluster {
  readonly clock: SimClock = new SimClock()
  readonly random: SeededRandom
  readonly network: SimNetwork
  readonly disk: SimDisk
  readonly bootstrapServers: string = `${ENDPOINT.host}:${ENDPOINT.port}`
  readonly #options: SimClusterOptions
  #core: BrokerCore | null = null

  constructor(options: SimClusterOptions) {
    this.#options = options
    this.random = new SeededRandom(options.seed)
    const diskRandom = new SeededRandom(options.seed)
    this.disk = new SimDisk((action) => void this.clock.after(diskRandom.between(0, SIM_SYNC_MAX_MS), action))
    this.network = new SimNetwork(this.clock, this.random.fork(), options.faults)
    this.start()
  }

  get isUp(): boolean {
    return this.#core !== null
  }

  /**
   * The broker, to set faults on it or to look into its logs. After each start it is another one, without faults.
   * @throws Error while it is down
   */
  get broker(): BrokerCore {
    if (this.#core === null) throw new Error('the simulated broker is down')
    return this.#core
  }

  /** What a client gets as its second argument. */
  environment(): Environment {
    return { clock: this.clock, random: this.random.fork().next, connect: this.network.connect }
  }

  /** Starts the broker on what its disk holds. */
  start(): void {
    if (this.#core !== null) return
    this.#core = new BrokerCore({
      clock: this.clock,
      random: this.random.fork().next,
      storage: this.disk,
      config: parseBrokerConfig({ ...this.#options.config }),
      nodeId: 1,
      clusterId: CLUSTER_ID,
      endpoint: ENDPOINT,
      flush: this.#options.flush ?? 'os',
    })
    this.network.listen(ENDPOINT, this.#core)
  }

  /** Closes the broker in order. */
  stop(): void {
    this.#core?.close()
    this.#gone()
  }

  /** SIGKILL: what it had written stays, whatever else it meant to do is not done. */
  kill(): void {
    this.#core?.abandon()
    this.disk.interruptSyncs()
    this.#gone()
  }

  /** The machine loses power: what was not synced may be gone or torn. */
  losePower(): void {
    this.kill()
    this.disk.losePower(this.random)
  }

  cutConnections(): void {
    this.network.cut(ENDPOINT)
  }

  #gone(): void {
    this.#core = null
    this.network.unlisten(ENDPOINT)
  }
}
