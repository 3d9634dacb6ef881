import { ConfigError } from '@millrace/protocol'
import { booleanOption, CLIENT_OPTION_NAMES, integerOption, oneOfOption, refuseUnknownOptions } from '@millrace/client/internal'
import type { ClientOptions } from '@millrace/client'
import type { Deserializer } from './delivery/deserializers.ts'
import type { DecoderOptions, DeserializationErrorPolicy } from './delivery/record-decoder.ts'
import { FETCH_BYTES_DEFAULT, GROUP_ID_BYTES_MAX, MAX_TOPICS, TOPIC_NAME_LENGTH_MAX } from './limits.ts'
import type { TopicSelection } from './membership/membership.ts'
import {
  MEMBERSHIP_OPTION_NAMES,
  resolveMembershipOptions,
  type MembershipConfig,
  type MembershipOptions,
} from './membership/membership-options.ts'
import { LATEST, parseAutoOffsetReset, type ResetStrategy } from './offsets/reset-strategy.ts'

export type AutoOffsetReset = 'earliest' | 'latest' | 'none' | `by_duration:${string}`

/** Names and defaults are Java's (`auto.offset.reset`, `session.timeout.ms`, ...); see also `ClientOptions`. */
export interface ConsumerOptions<Key = Buffer | null, Value = Buffer | null> extends ClientOptions, MembershipOptions {
  /** The group to be a member of. Without one the consumer reads what `assign` names, and commits nothing. */
  readonly groupId?: string
  /** What to subscribe to at once: names, or all topics whose name matches a pattern, those that come later too. Otherwise call `subscribe` or `assign`. */
  readonly topics?: readonly string[] | RegExp
  /**
   * Where to begin when the group has committed no offset, or one that the log has no more. `'by_duration:P7D'` begins with the first record
   * that is at most so old, in ISO-8601 (KIP-1106), or at the end when none is; `'none'` throws. Default `'latest'`.
   */
  readonly autoOffsetReset?: AutoOffsetReset
  /** Default 1. */
  readonly fetchMinBytes?: number
  /** How long the broker waits for `fetchMinBytes`. Default 500. */
  readonly fetchMaxWaitMs?: number
  /** Per answer of a broker; one batch comes even if it is larger (KIP-74). Default 4194304, where Java's is 52428800. */
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
  /** Check the CRC-32C of what is fetched. Default true. */
  readonly checkCrcs?: boolean
  /** Where this client is, for fetching from the closest replica, and as the member's rack. Default: nowhere. */
  readonly clientRack?: string
  /** Makes a record's `key` of its bytes. Default: the bytes themselves. */
  readonly keyDeserializer?: Deserializer<Key>
  /** Makes a record's `value` of its bytes. Default: the bytes themselves. */
  readonly valueDeserializer?: Deserializer<Value>
  /** What becomes of a record that a deserializer throws at. Default `'throw'`. */
  readonly onDeserializationError?: DeserializationErrorPolicy
}

/** Every option, with its default filled in. */
export interface ConsumerConfig extends MembershipConfig {
  /** Null: no group. */
  readonly groupId: string | null
  readonly selection: TopicSelection | null
  /** Null: `'none'`. */
  readonly autoOffsetReset: ResetStrategy | null
  readonly fetchMinBytes: number
  readonly fetchMaxWaitMs: number
  readonly fetchMaxBytes: number
  readonly maxPartitionFetchBytes: number
  readonly maxPollRecords: number
  readonly enableAutoCommit: boolean
  readonly autoCommitIntervalMs: number
  readonly isolationLevel: 'read_uncommitted' | 'read_committed'
  readonly checkCrcs: boolean
  readonly clientRack: string
  /** Null: keys and values are handed out as they are stored. */
  readonly decoder: DecoderOptions | null
  readonly metadataMaxAgeMs: number
  readonly defaultApiTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
}

const TOPIC_NAME = /^[a-zA-Z0-9._-]+$/

const CONSUMER_OPTION_NAMES: readonly string[] = [
  ...CLIENT_OPTION_NAMES,
  ...MEMBERSHIP_OPTION_NAMES,
  'groupId',
  'topics',
  'autoOffsetReset',
  'fetchMinBytes',
  'fetchMaxWaitMs',
  'fetchMaxBytes',
  'maxPartitionFetchBytes',
  'maxPollRecords',
  'enableAutoCommit',
  'autoCommitIntervalMs',
  'isolationLevel',
  'checkCrcs',
  'clientRack',
  'keyDeserializer',
  'valueDeserializer',
  'onDeserializationError',
]

/**
 * Checks the consumer's own options and fills in the defaults; `ClusterClient` checks the rest.
 * @throws {ConfigError}
 */
export function resolveConsumerOptions(options: ConsumerOptions<never, never>): ConsumerConfig {
  refuseUnknownOptions(options, CONSUMER_OPTION_NAMES)
  const groupId = options.groupId === undefined ? null : nameOption('groupId', options.groupId)
  const selection = options.topics === undefined ? null : topicSelection('topics', options.topics)
  if (groupId === null && selection !== null)
    throw new ConfigError('groupId', undefined, 'a group id, as there are topics to subscribe to')
  return {
    ...resolveMembershipOptions(options),
    groupId,
    selection,
    autoOffsetReset: autoOffsetResetOption(options.autoOffsetReset),
    fetchMinBytes: integerOption(options, 'fetchMinBytes', 1, 0),
    fetchMaxWaitMs: integerOption(options, 'fetchMaxWaitMs', 500, 0),
    fetchMaxBytes: integerOption(options, 'fetchMaxBytes', FETCH_BYTES_DEFAULT, 1),
    maxPartitionFetchBytes: integerOption(options, 'maxPartitionFetchBytes', 1_048_576, 1),
    maxPollRecords: integerOption(options, 'maxPollRecords', 500, 1),
    enableAutoCommit: booleanOption(options, 'enableAutoCommit', true),
    autoCommitIntervalMs: integerOption(options, 'autoCommitIntervalMs', 5_000, 1),
    isolationLevel: oneOfOption(options, 'isolationLevel', ['read_uncommitted', 'read_committed'], 'read_uncommitted'),
    checkCrcs: booleanOption(options, 'checkCrcs', true),
    clientRack: options.clientRack === undefined ? '' : nameOption('clientRack', options.clientRack),
    decoder: decoderOption(options),
    metadataMaxAgeMs: integerOption(options, 'metadataMaxAgeMs', 300_000, 1),
    defaultApiTimeoutMs: integerOption(options, 'defaultApiTimeoutMs', 60_000, 1),
    requestTimeoutMs: integerOption(options, 'requestTimeoutMs', 30_000, 1),
    retryBackoffMs: integerOption(options, 'retryBackoffMs', 100, 0),
    retryBackoffMaxMs: integerOption(options, 'retryBackoffMaxMs', 1_000, 0),
  }
}

function nameOption(option: string, value: unknown): string {
  if (typeof value === 'string' && value.length > 0 && Buffer.byteLength(value) <= GROUP_ID_BYTES_MAX) return value
  throw new ConfigError(option, value, `a string of 1 to ${GROUP_ID_BYTES_MAX} bytes`)
}

/** @throws {ConfigError} naming `option` */
export function topicSelection(option: string, topics: unknown): TopicSelection {
  if (topics instanceof RegExp) return { pattern: topics }
  if (!Array.isArray(topics) || topics.length === 0 || topics.length > MAX_TOPICS) {
    throw new ConfigError(option, topics, `an array of 1 to ${MAX_TOPICS} topic names, or a RegExp`)
  }
  for (const topic of topics as unknown[]) checkTopicName(option, topic)
  return { topics: [...new Set(topics as string[])] }
}

/** @throws {ConfigError} naming `option` */
export function checkTopicName(option: string, topic: unknown): void {
  const isName = typeof topic === 'string' && topic.length <= TOPIC_NAME_LENGTH_MAX && TOPIC_NAME.test(topic)
  if (isName && topic !== '.' && topic !== '..') return
  throw new ConfigError(option, topic, `names of 1 to ${TOPIC_NAME_LENGTH_MAX} letters, digits, dots, underscores and hyphens`)
}

function autoOffsetResetOption(value: unknown): ResetStrategy | null {
  const strategy = value === undefined ? LATEST : parseAutoOffsetReset(value)
  if (strategy !== undefined) return strategy
  const duration =
    "'by_duration:' and an ISO-8601 duration of days, hours, minutes and seconds that is not negative, like 'by_duration:P7D'"
  throw new ConfigError('autoOffsetReset', value, `'earliest' or 'latest' or 'none' or ${duration}`)
}

function decoderOption(options: ConsumerOptions<never, never>): DecoderOptions | null {
  const { keyDeserializer, valueDeserializer, onDeserializationError = 'throw' } = options
  for (const [option, value] of Object.entries({ keyDeserializer, valueDeserializer })) {
    if (value !== undefined && typeof value !== 'function') throw new ConfigError(option, value, 'a function of the bytes')
  }
  if (onDeserializationError !== 'throw' && onDeserializationError !== 'skip' && typeof onDeserializationError !== 'function') {
    throw new ConfigError('onDeserializationError', onDeserializationError, "'throw' or 'skip' or a function of the error")
  }
  if (keyDeserializer === undefined && valueDeserializer === undefined) return null
  return {
    keyDeserializer: keyDeserializer ?? null,
    valueDeserializer: valueDeserializer ?? null,
    onDeserializationError,
  }
}
