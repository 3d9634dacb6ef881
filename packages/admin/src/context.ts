import { ConfigError, ErrorCode, KafkaError } from '@millrace/protocol'
import { errorAbout, refuseUnknownOptions, timeoutOption, type ClusterClient } from '@millrace/client/internal'
import type { ItemResults, ResultCollector } from './item-results.ts'

/** What every verb takes besides its own arguments. */
export interface CallOptions {
  readonly signal?: AbortSignal
  /** For the whole call, with its retries. Default the client's `defaultApiTimeoutMs`. */
  readonly timeoutMs?: number
}

/** For verbs that take many items. */
export interface ItemCallOptions extends CallOptions {
  /**
   * True (default): the call rejects when an item failed, with the item's own error if there was but one, else with
   * `ItemsFailedError`, whose `results` has the outcome of each. False: the results are returned whatever is in them.
   */
  readonly throwOnFailure?: boolean
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** The names in `CallOptions`. */
const CALL_OPTIONS = ['signal', 'timeoutMs']

/** What `ItemCallOptions` adds to them. */
export const ITEM_FLAGS: readonly string[] = ['throwOnFailure']

/**
 * Refuses an option that the verb does not have: a misspelt `validateOnly` must not make what was only to be checked.
 * @param flags the verb's options that are true or false
 * @throws ConfigError
 */
export function checkOptions(options: object, flags: readonly string[], others: readonly string[] = []): void {
  refuseUnknownOptions(options, [...CALL_OPTIONS, ...flags, ...others])
  const given = options as Readonly<Record<string, unknown>>
  const signal = given['signal']
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new ConfigError('signal', signal, 'an AbortSignal')
  for (const flag of flags) {
    const value = given[flag]
    if (value !== undefined && typeof value !== 'boolean') throw new ConfigError(flag, value, 'true or false')
  }
}

/** The timeout that the broker itself is given: no longer than we wait for its answer. */
export function brokerTimeoutMs(client: ClusterClient, options: CallOptions): number {
  const timeoutMs = timeoutOption(options.timeoutMs, client.config.defaultApiTimeoutMs)
  return Math.ceil(Math.min(timeoutMs, client.config.requestTimeoutMs))
}

/** How one request of a call may wait. */
export interface Wait {
  readonly signal: AbortSignal | undefined
  readonly timeoutMs: number | undefined
}

export function waitOf(options: CallOptions): Wait {
  return { signal: options.signal, timeoutMs: options.timeoutMs }
}

/** For a verb of several requests, one after the other: gives each what is left of the time of the whole call. */
export function waitsOf(client: ClusterClient, options: CallOptions): () => Wait {
  const { clock } = client.environment
  const deadline = clock.now() + timeoutOption(options.timeoutMs, client.config.defaultApiTimeoutMs)
  return () => ({ signal: options.signal, timeoutMs: Math.max(0, deadline - clock.now()) })
}

export function finish<Value>(collector: ResultCollector<Value>, options: ItemCallOptions): ItemResults<Value> {
  const results = collector.finish()
  return options.throwOnFailure === false ? results : results.orThrow()
}

/** Records a failed item's error. True if the item failed. */
export function collectError(
  collector: ResultCollector<never> | ResultCollector<unknown>,
  key: string,
  subject: string,
  item: { readonly errorCode: number; readonly errorMessage?: string | null },
): boolean {
  if (item.errorCode === ErrorCode.NONE) return false
  collector.fail(key, errorAbout(item.errorCode, subject, item.errorMessage ?? null))
  return true
}

/**
 * The failure of one part of a call, for the items of that part.
 * @throws what ends the whole call: the caller's abort, the client's close, and errors that are not ours
 */
export function ownError(error: unknown): KafkaError {
  if (!(error instanceof KafkaError) || error.fatal || error.code === 'ABORTED') throw error
  return error
}

/** The key of a partition in results: `orders-0`, as Java prints a TopicPartition. */
export function topicPartitionKey(topic: string, partition: number): string {
  return `${topic}-${partition}`
}

/** An int64 of the wire as a number. @throws KafkaError past 2^53 - 1 */
export function toNumber(value: bigint, what: string): number {
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number
  throw new KafkaError('VALUE_OUT_OF_RANGE', `${what}: ${value} is beyond what a number holds exactly`)
}

/**
 * The keys of partitions in results.
 * @throws KafkaError INVALID_ARGUMENT for what is no partition, and for one that is given twice
 */
export function partitionKeys(partitions: readonly TopicPartition[]): string[] {
  checkItems('partitions', partitions)
  partitions.forEach(checkPartition)
  const keys = partitions.map(({ topic, partition }) => topicPartitionKey(topic, partition))
  checkUnique('partition', keys)
  return keys
}

/** @throws KafkaError INVALID_ARGUMENT */
function checkPartition({ topic, partition }: TopicPartition): void {
  checkName('topic', topic)
  if (Number.isInteger(partition) && partition >= 0 && partition <= 0x7fffffff) return
  throw invalidArgument('partition', partition, 'an integer from 0')
}

/** @throws KafkaError INVALID_ARGUMENT */
export function checkName(what: string, value: unknown): void {
  if (typeof value !== 'string' || value.length === 0) throw invalidArgument(what, value, 'a string that is not empty')
}

/** @throws KafkaError INVALID_ARGUMENT unless it is an array of objects */
export function checkItems(what: string, items: unknown): void {
  if (!Array.isArray(items)) throw invalidArgument(what, items, 'an array')
  for (const item of items as unknown[]) {
    if (typeof item !== 'object' || item === null) throw invalidArgument(`one of ${what}`, item, 'an object')
  }
}

/** @throws KafkaError INVALID_ARGUMENT unless every name is a string that is not empty, and none is there twice */
export function checkNames(what: string, values: readonly string[]): void {
  if (!Array.isArray(values)) throw invalidArgument(`${what}s`, values, 'an array')
  for (const value of values) checkName(what, value)
  checkUnique(what, values)
}

/** Two entries for one thing cannot both have their result under its key. */
export function checkUnique(what: string, keys: readonly string[]): void {
  const seen = new Set<string>()
  for (const key of keys) {
    if (seen.has(key)) throw new KafkaError('INVALID_ARGUMENT', `${what} ${JSON.stringify(key)} is given more than once`)
    seen.add(key)
  }
}

export function invalidArgument(what: string, value: unknown, expected: string): KafkaError {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return new KafkaError('INVALID_ARGUMENT', `${what}: ${shown} is not allowed; expected ${expected}`)
}

/** Partitions as the protocol groups them: by topic. */
export function byTopic<Item extends TopicPartition>(items: readonly Item[]): { name: string; partitions: Item[] }[] {
  const topics = new Map<string, Item[]>()
  for (const item of items) {
    const partitions = topics.get(item.topic)
    if (partitions === undefined) topics.set(item.topic, [item])
    else partitions.push(item)
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }))
}
