import { ConfigError } from '@millrace/protocol'
import { booleanOption, integerOption, oneOfOption, refuseUnknownOptions, RetryPolicy } from '@millrace/client/internal'
import { checkTopicName } from '../config.ts'
import type { ConsumerRecord, ConsumerRecordHeader } from '../consumer-record.ts'
import type { ConsumerBatch } from '../fetch/consumer-batch.ts'
import { RUN_CONCURRENCY_MAX, RUN_DRAIN_TIMEOUT_MS, RUN_RETRY_TOPICS_MAX } from '../limits.ts'
import type { RunOrder } from './lane-settings.ts'
import type { BatchContext, RecordContext } from './task.ts'

/** A record whose handler failed, as it goes to a retry or dead-letter topic: its bytes as they were stored. */
export interface RecordCopy {
  readonly topic: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly ConsumerRecordHeader[]
}

/** What sends copies: a `Producer` of `@millrace/producer`, or anything else whose promise says that the record is stored. */
export interface RecordSender {
  send(record: RecordCopy): Promise<unknown>
}

/** Attempts in place: nothing else of the same key (or partition) is handled meanwhile. */
export interface RetryOptions {
  /** After the first attempt. */
  readonly retries: number
  /** Before the first of them; twice as long before each further one, 20 % more or less at random. Default 100. */
  readonly backoffMs?: number
  /** Default 10000. */
  readonly backoffMaxMs?: number
  /** Whether another attempt may help, here or by a retry topic. Default: yes for everything. A record that cannot be deserialized is never tried again. */
  readonly retriable?: (error: unknown) => boolean
}

export interface RetryTopic {
  readonly topic: string
  /** How long after its failure the record is handled again, at the earliest. */
  readonly delayMs: number
}

interface CommonRunOptions {
  /** The most handlers at once, over all partitions. Default 1. */
  readonly concurrency?: number
  /** What becomes of a record whose handler throws or rejects: first, attempts in place. Default: none. */
  readonly retry?: RetryOptions
  /** Then, where a record that still fails goes, if its failure is retriable: the first of these, or the one after the one it comes from. Only with `eachRecord`. */
  readonly retryTopics?: readonly RetryTopic[]
  /** Then, where it goes for good, with the cause in its headers. This topic and those must be there, or be created by the brokers: else the run ends by `MissingTopicError`. */
  readonly deadLetterTopic?: string
  /** Without a dead-letter topic: `'stop'` ends the run by `HandlerError`; `'skip'` goes on behind the record. Default `'stop'`. */
  readonly onExhausted?: 'stop' | 'skip'
  /** Sends to these topics. */
  readonly producer?: RecordSender
  /**
   * Whether the memory of each record or batch is given back once its handler is done, as `using` does in a loop over batches: at once, or as soon as everything is read that came with it. From then on
   * the keys, values and headers that the handler got are empty, unless a deserializer made something else of them. What failed, and may be handled again or copied, keeps its memory. Takes half the CPU where records are large. Default false.
   */
  readonly disposeHandled?: boolean
  /** Ends the run as `stop` does. */
  readonly signal?: AbortSignal
  /** How long handlers that run, and those of records before theirs, may take to end when the run does. Then their signals are aborted and they are ignored. Default 30000. */
  readonly drainTimeoutMs?: number
}

export interface RunRecordsOptions<Key = Buffer | null, Value = Buffer | null> extends CommonRunOptions {
  /** Called with each record; it was handled when this returns, or what it returns resolves. */
  readonly eachRecord: (record: ConsumerRecord<Key, Value>, context: RecordContext) => unknown
  readonly eachBatch?: undefined
  /** What is handled one after another. `'key'`: records of one partition with the same key; those without a key in no order. Default `'partition'`. */
  readonly orderedBy?: RunOrder
}

export interface RunBatchesOptions<Key = Buffer | null, Value = Buffer | null> extends CommonRunOptions {
  /** Called with each batch, of at most `maxPollRecords` records; all of it was handled when this returns, or what it returns resolves, unless `leaveRest` was called. */
  readonly eachBatch: (batch: ConsumerBatch<Key, Value>, context: BatchContext) => unknown
  readonly eachRecord?: undefined
  /** Default `'partition'`. */
  readonly orderedBy?: 'partition' | 'none'
}

/** How to run handlers, and what to do when one fails. */
export type RunOptions<Key = Buffer | null, Value = Buffer | null> = RunRecordsOptions<Key, Value> | RunBatchesOptions<Key, Value>

/** What to do about failures. */
export interface FailurePolicy {
  readonly retries: number
  readonly backoff: RetryPolicy
  readonly retriable: (error: unknown) => boolean
  readonly retryTopics: readonly RetryTopic[]
  readonly deadLetterTopic: string | null
  readonly onExhausted: 'stop' | 'skip'
  readonly producer: RecordSender | null
}

/** Every option, with its default filled in. */
export interface RunConfig {
  readonly handler: (item: never, context: BatchContext) => unknown
  readonly isBatched: boolean
  readonly concurrency: number
  readonly orderedBy: RunOrder
  readonly failures: FailurePolicy
  readonly disposeHandled: boolean
  readonly signal: AbortSignal | null
  readonly drainTimeoutMs: number
}

const OPTION_NAMES = [
  'eachRecord',
  'eachBatch',
  'concurrency',
  'orderedBy',
  'retry',
  'retryTopics',
  'deadLetterTopic',
  'onExhausted',
  'producer',
  'disposeHandled',
  'signal',
  'drainTimeoutMs',
]

/** @throws {ConfigError} naming the option */
export function resolveRunOptions<Key, Value>(options: RunOptions<Key, Value>): RunConfig {
  refuseUnknownOptions(options, OPTION_NAMES)
  const { eachRecord, eachBatch, signal } = options
  if (eachRecord !== undefined && eachBatch !== undefined)
    throw new ConfigError('eachBatch', eachBatch, 'eachRecord or eachBatch, not both')
  const isBatched = eachBatch !== undefined
  const handler: unknown = eachBatch ?? eachRecord
  if (typeof handler !== 'function')
    throw new ConfigError(isBatched ? 'eachBatch' : 'eachRecord', handler, 'a function that handles what it is called with')
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new ConfigError('signal', signal, 'an AbortSignal')
  const orders: readonly RunOrder[] = isBatched ? ['partition', 'none'] : ['partition', 'key', 'none']
  return {
    handler: handler as RunConfig['handler'],
    isBatched,
    concurrency: integerOption(options, 'concurrency', 1, 1, RUN_CONCURRENCY_MAX),
    orderedBy: oneOfOption(options, 'orderedBy', orders, 'partition'),
    failures: failurePolicy(options, isBatched),
    disposeHandled: booleanOption(options, 'disposeHandled', false),
    signal: signal ?? null,
    drainTimeoutMs: integerOption(options, 'drainTimeoutMs', RUN_DRAIN_TIMEOUT_MS, 0),
  }
}

function failurePolicy(options: CommonRunOptions, isBatched: boolean): FailurePolicy {
  const { retry, deadLetterTopic, onExhausted } = options
  const retryTopics = retryTopicsOption(options.retryTopics, isBatched)
  if (deadLetterTopic !== undefined) {
    checkTopicName('deadLetterTopic', deadLetterTopic)
    if (retryTopics.some(({ topic }) => topic === deadLetterTopic))
      throw new ConfigError('deadLetterTopic', deadLetterTopic, 'a topic that is none of the retryTopics')
    if (onExhausted !== undefined)
      throw new ConfigError('onExhausted', onExhausted, 'nothing where there is a deadLetterTopic, which takes what is left')
  }
  return {
    ...retryOption(retry),
    retryTopics,
    deadLetterTopic: deadLetterTopic ?? null,
    onExhausted: oneOfOption(options, 'onExhausted', ['stop', 'skip'], 'stop'),
    producer: producerOption(options, retryTopics.length > 0 || deadLetterTopic !== undefined),
  }
}

function retryOption(retry: RetryOptions | undefined): Pick<FailurePolicy, 'retries' | 'backoff' | 'retriable'> {
  if (retry === undefined) return { retries: 0, backoff: new RetryPolicy(100, 10_000), retriable: () => true }
  if (typeof retry !== 'object' || retry === null) throw new ConfigError('retry', retry, 'an object with retries')
  refuseUnknownOptions(retry, ['retries', 'backoffMs', 'backoffMaxMs', 'retriable'])
  const { retries, retriable } = retry
  if (!Number.isInteger(retries) || retries < 0) throw new ConfigError('retry.retries', retries, 'an integer of at least 0')
  if (retriable !== undefined && typeof retriable !== 'function')
    throw new ConfigError('retry.retriable', retriable, 'a function of the error')
  const backoffMs = delay('retry.backoffMs', retry.backoffMs ?? 100)
  return {
    retries,
    backoff: new RetryPolicy(backoffMs, delay('retry.backoffMaxMs', retry.backoffMaxMs ?? Math.max(backoffMs, 10_000))),
    retriable: retriable ?? (() => true),
  }
}

function retryTopicsOption(topics: unknown, isBatched: boolean): readonly RetryTopic[] {
  if (topics === undefined) return []
  if (isBatched)
    throw new ConfigError('retryTopics', topics, 'nothing with eachBatch: the records of a batch are due at different times')
  if (!Array.isArray(topics) || topics.length > RUN_RETRY_TOPICS_MAX)
    throw new ConfigError('retryTopics', topics, `an array of at most ${RUN_RETRY_TOPICS_MAX} { topic, delayMs }`)
  const seen = new Set<string>()
  return topics.map((one: Partial<RetryTopic> | null) => {
    if (typeof one !== 'object' || one === null) throw new ConfigError('retryTopics', one, '{ topic, delayMs }')
    checkTopicName('retryTopics.topic', one.topic)
    const topic = one.topic as string
    if (seen.has(topic)) throw new ConfigError('retryTopics.topic', topic, 'each topic once')
    seen.add(topic)
    return { topic, delayMs: delay('retryTopics.delayMs', one.delayMs) }
  })
}

function producerOption({ producer }: CommonRunOptions, isNeeded: boolean): RecordSender | null {
  const isSender = typeof producer === 'object' && producer !== null && typeof producer.send === 'function'
  if (isSender) return producer
  if (producer === undefined && !isNeeded) return null
  const why = isNeeded ? ', to send to the retryTopics and the deadLetterTopic' : ''
  throw new ConfigError('producer', producer, `an object with send(record)${why}`)
}

function delay(option: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value
  throw new ConfigError(option, value, 'milliseconds: an integer of at least 0')
}
