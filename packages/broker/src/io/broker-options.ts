import { ConfigError } from '@millrace/protocol'
import { parseBrokerConfig, type BrokerConfig, type BrokerConfigValues } from '../config/broker-config.ts'

/** How a broker is started. Everything has a default. */
export interface BrokerOptions {
  /** The address to listen on. Default `127.0.0.1`. */
  readonly host?: string
  /** Default 9092; 0 lets the system choose a free one (see `Broker.port`). */
  readonly port?: number
  /** What clients are told to connect to, when it differs from `host`: a container's name, the host of a port mapping. Default: `host`. */
  readonly advertisedHost?: string
  /** Like `advertisedHost`. Default: the port that is bound. */
  readonly advertisedPort?: number
  /** Where logs and metadata live, in Kafka's own format; created when absent. Default: none, everything is in memory. */
  readonly dataDir?: string
  /** Default true: producing to or asking for an unknown topic creates it (`auto.create.topics.enable`). */
  readonly autoCreateTopics?: boolean
  /** Partitions of a topic that is created without a number (`num.partitions`). Default 1. */
  readonly numPartitions?: number
  /** Default 1. A data directory belongs to one node id. */
  readonly nodeId?: number
  /** 22 characters of base64url. Default: the data directory's, or a random one. */
  readonly clusterId?: string
  /**
   * When appended records are brought to the disk. `os` (default): when the system sees fit; survives a killed process. `interval`: besides, once
   * a second. `fsync`: before they are acknowledged; survives a power failure.
   */
  readonly flush?: 'os' | 'interval' | 'fsync'
  /** Further settings by Kafka's broker configuration names, for example `{ 'log.retention.ms': 60_000 }`. */
  readonly config?: BrokerConfigValues
}

export interface ResolvedBrokerOptions {
  readonly host: string
  readonly port: number
  readonly advertisedHost: string
  /** Undefined: the bound port. */
  readonly advertisedPort: number | undefined
  readonly dataDir: string | undefined
  readonly nodeId: number
  readonly clusterId: string | undefined
  readonly flush: 'os' | 'interval' | 'fsync'
  readonly config: BrokerConfig
}

const NAMES: ReadonlySet<string> = new Set<keyof BrokerOptions>([
  'host',
  'port',
  'advertisedHost',
  'advertisedPort',
  'dataDir',
  'autoCreateTopics',
  'numPartitions',
  'nodeId',
  'clusterId',
  'flush',
  'config',
])

/** @throws ConfigError naming the first option that is wrong or unknown */
export function resolveBrokerOptions(options: BrokerOptions): ResolvedBrokerOptions {
  for (const name of Object.keys(options)) {
    if (!NAMES.has(name))
      throw new ConfigError(name, (options as Record<string, unknown>)[name], `one of the options ${[...NAMES].join(', ')}`)
  }
  const { host = '127.0.0.1', port = 9092, nodeId = 1, flush = 'os', dataDir, clusterId } = options
  const advertisedHost = options.advertisedHost ?? reachable(host)
  requireText('host', host)
  requireText('advertisedHost', advertisedHost)
  requireWhole('port', port, 0, 65_535)
  if (options.advertisedPort !== undefined) requireWhole('advertisedPort', options.advertisedPort, 1, 65_535)
  requireWhole('nodeId', nodeId, 0, 2 ** 31 - 1)
  if (dataDir !== undefined) requireText('dataDir', dataDir)
  if (clusterId !== undefined && !/^[A-Za-z0-9_-]{22}$/.test(clusterId)) {
    throw new ConfigError('clusterId', clusterId, '22 characters of base64url, as kafka-storage random-uuid prints')
  }
  if (flush !== 'os' && flush !== 'interval' && flush !== 'fsync')
    throw new ConfigError('flush', flush, "'os', 'interval' or 'fsync'")
  const config = parseBrokerConfig(configValues(options))
  return { host, port, advertisedHost, advertisedPort: options.advertisedPort, dataDir, nodeId, clusterId, flush, config }
}

function configValues(options: BrokerOptions): BrokerConfigValues {
  const { autoCreateTopics, numPartitions, config = {} } = options
  if (typeof config !== 'object' || config === null || Array.isArray(config)) throw new ConfigError('config', config, 'an object')
  const values = { ...config }
  if (autoCreateTopics !== undefined) {
    if (typeof autoCreateTopics !== 'boolean') throw new ConfigError('autoCreateTopics', autoCreateTopics, 'true or false')
    values['auto.create.topics.enable'] = autoCreateTopics
  }
  if (numPartitions !== undefined) {
    requireWhole('numPartitions', numPartitions, 1, 10_000)
    values['num.partitions'] = numPartitions
  }
  return values
}

/** A client cannot connect to "all addresses". */
function reachable(host: string): string {
  return host === '0.0.0.0' || host === '::' ? 'localhost' : host
}

function requireText(option: string, value: unknown): void {
  if (typeof value !== 'string' || value.trim() === '') throw new ConfigError(option, value, 'a non-empty string')
}

function requireWhole(option: string, value: unknown, min: number, max: number): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new ConfigError(option, value, `a whole number, ${min} to ${max}`)
  }
}
