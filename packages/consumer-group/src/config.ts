import { ConfigError } from '@millrace/protocol'
import { CLIENT_OPTION_NAMES, integerOption, oneOfOption, refuseUnknownOptions } from '@millrace/client/internal'
import type { ClientOptions } from '@millrace/client'
import type { Assignor } from './assignors/assignor.ts'
import { cooperativeStickyAssignor } from './assignors/cooperative-sticky.ts'
import { rangeAssignor } from './assignors/range.ts'
import { GROUP_ID_BYTES_MAX, MAX_TOPICS, TOPIC_NAME_LENGTH_MAX } from './limits.ts'

export type AssignorName = 'range' | 'cooperative-sticky'

/** Names and defaults are Java's (`auto.offset.reset`, `session.timeout.ms`, ...); see also `ClientOptions`. */
export interface ConsumerOptions extends ClientOptions {
  readonly groupId: string
  readonly topics: readonly string[]
  /** Where to begin when the group has committed no offset, or one that the log has no more: `'none'` throws. Default `'latest'`. */
  readonly autoOffsetReset?: 'earliest' | 'latest' | 'none'
  /** Without a heartbeat for so long, the coordinator gives the member's partitions to others. Default 45000. */
  readonly sessionTimeoutMs?: number
  /** Default 3000; at most a third of `sessionTimeoutMs` makes sense. */
  readonly heartbeatIntervalMs?: number
  /** When the application asks for no record for so long, the member leaves, and others get its partitions. Default 300000. */
  readonly maxPollIntervalMs?: number
  /**
   * In order of preference. Rebalances are cooperative when all of them can be, and stop everyone otherwise. Default
   * `['range', 'cooperative-sticky']`, from which a group moves on to `['cooperative-sticky']` member by member.
   */
  readonly partitionAssignors?: readonly AssignorName[]
  /** Default 1. */
  readonly fetchMinBytes?: number
  /** How long the broker waits for `fetchMinBytes`. Default 500. */
  readonly fetchMaxWaitMs?: number
  /** Per answer of a broker. Default 52428800. */
  readonly fetchMaxBytes?: number
  /** Per partition and answer. Default 1048576. */
  readonly maxPartitionFetchBytes?: number
  /** The most records in one batch of `batches()`. Default 500. */
  readonly maxPollRecords?: number
  /** Commit what was handled, every `autoCommitIntervalMs`, before a partition is given up, and in `close`. Default true. */
  readonly enableAutoCommit?: boolean
  /** Default 5000. */
  readonly autoCommitIntervalMs?: number
  /** Default `'read_uncommitted'`. */
  readonly isolationLevel?: 'read_uncommitted' | 'read_committed'
  /** Names a static member: it may be away for `sessionTimeoutMs` and get its partitions back (KIP-345). Default: none. */
  readonly groupInstanceId?: string
  /** Check the CRC-32C of what is fetched. Default true. */
  readonly checkCrcs?: boolean
  /** Where this client is, for fetching from the closest replica, and as the member's rack. Default: nowhere. */
  readonly clientRack?: string
}

/** Every option, with its default filled in. */
export interface ConsumerConfig {
  readonly groupId: string
  readonly topics: readonly string[]
  readonly autoOffsetReset: 'earliest' | 'latest' | 'none'
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly maxPollIntervalMs: number
  readonly assignors: readonly Assignor[]
  readonly fetchMinBytes: number
  readonly fetchMaxWaitMs: number
  readonly fetchMaxBytes: number
  readonly maxPartitionFetchBytes: number
  readonly maxPollRecords: number
  readonly enableAutoCommit: boolean
  readonly autoCommitIntervalMs: number
  readonly isolationLevel: 'read_uncommitted' | 'read_committed'
  readonly groupInstanceId: string | null
  readonly checkCrcs: boolean
  readonly clientRack: string
  readonly requestTimeoutMs: number
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
}

const ASSIGNORS: Readonly<Record<AssignorName, Assignor>> = {
  range: rangeAssignor,
  'cooperative-sticky': cooperativeStickyAssignor,
}

const TOPIC_NAME = /^[a-zA-Z0-9._-]+$/

const CONSUMER_OPTION_NAMES: readonly string[] = [
  ...CLIENT_OPTION_NAMES,
  'groupId',
  'topics',
  'autoOffsetReset',
  'sessionTimeoutMs',
  'heartbeatIntervalMs',
  'maxPollIntervalMs',
  'partitionAssignors',
  'fetchMinBytes',
  'fetchMaxWaitMs',
  'fetchMaxBytes',
  'maxPartitionFetchBytes',
  'maxPollRecords',
  'enableAutoCommit',
  'autoCommitIntervalMs',
  'isolationLevel',
  'groupInstanceId',
  'checkCrcs',
  'clientRack',
]

/**
 * Checks the consumer's own options and fills in the defaults; `ClusterClient` checks the rest.
 * @throws {ConfigError}
 */
export function resolveConsumerOptions(options: ConsumerOptions): ConsumerConfig {
  refuseUnknownOptions(options, CONSUMER_OPTION_NAMES)
  const sessionTimeoutMs = integerOption(options, 'sessionTimeoutMs', 45_000, 1)
  const heartbeatIntervalMs = integerOption(options, 'heartbeatIntervalMs', 3_000, 1)
  if (heartbeatIntervalMs >= sessionTimeoutMs) {
    throw new ConfigError('heartbeatIntervalMs', heartbeatIntervalMs, `less than sessionTimeoutMs, which is ${sessionTimeoutMs}`)
  }
  return {
    groupId: nameOption('groupId', options.groupId),
    topics: topicsOption(options.topics),
    autoOffsetReset: oneOfOption(options, 'autoOffsetReset', ['earliest', 'latest', 'none'], 'latest'),
    sessionTimeoutMs,
    heartbeatIntervalMs,
    maxPollIntervalMs: integerOption(options, 'maxPollIntervalMs', 300_000, 1),
    assignors: assignorsOption(options.partitionAssignors),
    fetchMinBytes: integerOption(options, 'fetchMinBytes', 1, 0),
    fetchMaxWaitMs: integerOption(options, 'fetchMaxWaitMs', 500, 0),
    fetchMaxBytes: integerOption(options, 'fetchMaxBytes', 52_428_800, 1),
    maxPartitionFetchBytes: integerOption(options, 'maxPartitionFetchBytes', 1_048_576, 1),
    maxPollRecords: integerOption(options, 'maxPollRecords', 500, 1),
    enableAutoCommit: booleanOption('enableAutoCommit', options.enableAutoCommit),
    autoCommitIntervalMs: integerOption(options, 'autoCommitIntervalMs', 5_000, 1),
    isolationLevel: oneOfOption(options, 'isolationLevel', ['read_uncommitted', 'read_committed'], 'read_uncommitted'),
    groupInstanceId: options.groupInstanceId === undefined ? null : nameOption('groupInstanceId', options.groupInstanceId),
    checkCrcs: booleanOption('checkCrcs', options.checkCrcs),
    clientRack: options.clientRack === undefined ? '' : nameOption('clientRack', options.clientRack),
    requestTimeoutMs: integerOption(options, 'requestTimeoutMs', 30_000, 1),
    retryBackoffMs: integerOption(options, 'retryBackoffMs', 100, 0),
    retryBackoffMaxMs: integerOption(options, 'retryBackoffMaxMs', 1_000, 0),
  }
}

function nameOption(option: string, value: unknown): string {
  if (typeof value === 'string' && value.length > 0 && Buffer.byteLength(value) <= GROUP_ID_BYTES_MAX) return value
  throw new ConfigError(option, value, `a string of 1 to ${GROUP_ID_BYTES_MAX} bytes`)
}

function topicsOption(topics: unknown): readonly string[] {
  if (!Array.isArray(topics) || topics.length === 0 || topics.length > MAX_TOPICS) {
    throw new ConfigError('topics', topics, `an array of 1 to ${MAX_TOPICS} topic names`)
  }
  for (const topic of topics as unknown[]) {
    const isName = typeof topic === 'string' && topic.length <= TOPIC_NAME_LENGTH_MAX && TOPIC_NAME.test(topic)
    if (!isName || topic === '.' || topic === '..') {
      throw new ConfigError(
        'topics',
        topic,
        `names of 1 to ${TOPIC_NAME_LENGTH_MAX} letters, digits, dots, underscores and hyphens`,
      )
    }
  }
  return [...new Set(topics as string[])]
}

function assignorsOption(names: unknown): readonly Assignor[] {
  if (names === undefined) return [rangeAssignor, cooperativeStickyAssignor]
  const allowed = `an array of ${Object.keys(ASSIGNORS)
    .map((name) => `'${name}'`)
    .join(' and ')}, at least one, each once`
  if (!Array.isArray(names) || names.length === 0 || new Set(names).size < names.length) {
    throw new ConfigError('partitionAssignors', names, allowed)
  }
  return (names as unknown[]).map((name) => {
    if (typeof name === 'string' && Object.hasOwn(ASSIGNORS, name)) return ASSIGNORS[name as AssignorName]
    throw new ConfigError('partitionAssignors', name, allowed)
  })
}

function booleanOption(option: string, value: unknown): boolean {
  if (value === undefined || value === true) return true
  if (value === false) return false
  throw new ConfigError(option, value, 'true or false')
}
