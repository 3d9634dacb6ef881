import { ConfigError } from '@millrace/protocol'
import { parseBootstrapServers } from './bootstrap-servers.ts'
import type { Endpoint } from './environment.ts'
import { MAX_CLIENT_ID_BYTES, MAX_IN_FLIGHT_PER_CONNECTION } from './limits.ts'
import { integerOption, oneOfOption, refuseUnknownOptions, stringOption } from './option-checks.ts'

/**
 * What every client takes. Names and defaults are Java's, in camelCase. A wrong value, or a name that no option has,
 * throws `ConfigError` at construction.
 */
export interface ClientOptions {
  /** Where to find the cluster: `'host:port,host:port'` or an array of `'host:port'`. A few brokers are enough. */
  readonly bootstrapServers: string | readonly string[]
  /** Names this client in the broker's logs, metrics and quotas. Default `'millrace'`. */
  readonly clientId?: string
  /** How long one request waits for its answer before its connection is given up. Default 30000. */
  readonly requestTimeoutMs?: number
  /** How long a call may take in all, with its retries. Default 60000. */
  readonly defaultApiTimeoutMs?: number
  /** How long a connection may take to be set up, the first time. Doubles with each failure. Default 10000. */
  readonly socketConnectionSetupTimeoutMs?: number
  /** The most that `socketConnectionSetupTimeoutMs` grows to. Default 30000. */
  readonly socketConnectionSetupTimeoutMaxMs?: number
  /** A connection that was not used for so long is closed; -1 keeps it. Default 540000. */
  readonly connectionsMaxIdleMs?: number
  /** Metadata older than this is fetched again even when nothing failed. Default 300000. */
  readonly metadataMaxAgeMs?: number
  /** The wait before the first retry of a request; later ones double it, ±20 %. Default 100. */
  readonly retryBackoffMs?: number
  /** The most that `retryBackoffMs` grows to. Default 1000. */
  readonly retryBackoffMaxMs?: number
  /** The wait before a lost connection to a broker is made again; doubles with each failure. Default 50. */
  readonly reconnectBackoffMs?: number
  /** The most that `reconnectBackoffMs` grows to. Default 1000. */
  readonly reconnectBackoffMaxMs?: number
  /**
   * What to do when no known broker can be reached: `'rebootstrap'` starts again from `bootstrapServers` (KIP-899),
   * `'none'` keeps trying the known ones. Default `'rebootstrap'`.
   */
  readonly metadataRecoveryStrategy?: 'rebootstrap' | 'none'
  /** With `'rebootstrap'`: also start again after so long without fresh metadata while trying (KIP-1102). Default 300000. */
  readonly metadataRecoveryRebootstrapTriggerMs?: number
  /** Only `'PLAINTEXT'`: TLS and SASL are not supported yet, and asking for them throws. */
  readonly securityProtocol?: 'PLAINTEXT'
}

/** `ClientOptions` and what only sibling packages may say. */
export interface ClusterClientOptions extends ClientOptions {
  /** Whether asking for the metadata of an unknown topic may create it, where the broker permits. Default false. */
  readonly allowAutoCreateTopics?: boolean
  /** Requests on the wire per connection. Default 100. */
  readonly maxInFlightRequestsPerConnection?: number
}

/** Every option, with its default filled in. */
export interface ClientConfig {
  readonly bootstrapServers: readonly Endpoint[]
  readonly clientId: string
  readonly requestTimeoutMs: number
  readonly defaultApiTimeoutMs: number
  readonly socketConnectionSetupTimeoutMs: number
  readonly socketConnectionSetupTimeoutMaxMs: number
  readonly connectionsMaxIdleMs: number
  readonly metadataMaxAgeMs: number
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
  readonly reconnectBackoffMs: number
  readonly reconnectBackoffMaxMs: number
  readonly metadataRecoveryStrategy: 'rebootstrap' | 'none'
  readonly metadataRecoveryRebootstrapTriggerMs: number
  readonly allowAutoCreateTopics: boolean
  readonly maxInFlightRequestsPerConnection: number
}

/** The names in `ClientOptions`. A class with options of its own allows these and its own. */
export const CLIENT_OPTION_NAMES: readonly string[] = [
  'bootstrapServers',
  'clientId',
  'requestTimeoutMs',
  'defaultApiTimeoutMs',
  'socketConnectionSetupTimeoutMs',
  'socketConnectionSetupTimeoutMaxMs',
  'connectionsMaxIdleMs',
  'metadataMaxAgeMs',
  'retryBackoffMs',
  'retryBackoffMaxMs',
  'reconnectBackoffMs',
  'reconnectBackoffMaxMs',
  'metadataRecoveryStrategy',
  'metadataRecoveryRebootstrapTriggerMs',
  'securityProtocol',
]

const INTERNAL_OPTION_NAMES = ['allowAutoCreateTopics', 'maxInFlightRequestsPerConnection']

/** The part of a class's options that is `ClientOptions`, to hand to `ClusterClient`. */
export function pickClientOptions(options: ClientOptions): ClientOptions {
  const given = options as unknown as Record<string, unknown>
  const picked = CLIENT_OPTION_NAMES.filter((name) => given[name] !== undefined).map((name) => [name, given[name]])
  return Object.fromEntries(picked) as ClientOptions
}

/**
 * Checks every option and fills in the defaults.
 * @throws ConfigError
 */
export function resolveClientOptions(options: ClusterClientOptions): ClientConfig {
  refuseUnknownOptions(options, [...CLIENT_OPTION_NAMES, ...INTERNAL_OPTION_NAMES])
  oneOfOption(options, 'securityProtocol', ['PLAINTEXT'], 'PLAINTEXT')
  const allowAutoCreateTopics = options.allowAutoCreateTopics ?? false
  if (typeof allowAutoCreateTopics !== 'boolean')
    throw new ConfigError('allowAutoCreateTopics', allowAutoCreateTopics, 'true or false')
  return {
    bootstrapServers: parseBootstrapServers(options.bootstrapServers),
    clientId: stringOption(options, 'clientId', 'millrace', MAX_CLIENT_ID_BYTES),
    requestTimeoutMs: integerOption(options, 'requestTimeoutMs', 30_000, 1),
    defaultApiTimeoutMs: integerOption(options, 'defaultApiTimeoutMs', 60_000, 1),
    socketConnectionSetupTimeoutMs: integerOption(options, 'socketConnectionSetupTimeoutMs', 10_000, 1),
    socketConnectionSetupTimeoutMaxMs: integerOption(options, 'socketConnectionSetupTimeoutMaxMs', 30_000, 1),
    connectionsMaxIdleMs: integerOption(options, 'connectionsMaxIdleMs', 540_000, -1),
    metadataMaxAgeMs: integerOption(options, 'metadataMaxAgeMs', 300_000, 1),
    retryBackoffMs: integerOption(options, 'retryBackoffMs', 100, 0),
    retryBackoffMaxMs: integerOption(options, 'retryBackoffMaxMs', 1_000, 0),
    reconnectBackoffMs: integerOption(options, 'reconnectBackoffMs', 50, 0),
    reconnectBackoffMaxMs: integerOption(options, 'reconnectBackoffMaxMs', 1_000, 0),
    metadataRecoveryStrategy: oneOfOption(options, 'metadataRecoveryStrategy', ['rebootstrap', 'none'], 'rebootstrap'),
    metadataRecoveryRebootstrapTriggerMs: integerOption(options, 'metadataRecoveryRebootstrapTriggerMs', 300_000, 0),
    allowAutoCreateTopics,
    maxInFlightRequestsPerConnection: integerOption(options, 'maxInFlightRequestsPerConnection', MAX_IN_FLIGHT_PER_CONNECTION, 1),
  }
}
