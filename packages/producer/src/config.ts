import { ConfigError } from '@millrace/protocol'
import {
  booleanOption,
  CLIENT_OPTION_NAMES,
  integerOption,
  MAX_TIMER_MS,
  oneOfOption,
  refuseUnknownOptions,
} from '@millrace/client/internal'
import type { ClientOptions } from '@millrace/client'
import { COMPRESSION_TYPES, type CompressionType } from '@millrace/records/internal'
import { IDEMPOTENT_IN_FLIGHT_MAX } from './limits.ts'
import type { ProducerInterceptor } from './interceptor.ts'
import type { Bytes } from './record.ts'
import type { Serializer } from './serializer.ts'
import type { TraceContextInjector } from './trace-context.ts'

/** Whose word a send waits for: every in-sync replica's, the leader's, or nobody's. */
export type Acks = 'all' | 1 | 0

/**
 * Chooses a partition for a record that names none, in place of the built-in choice. The key is as it will be stored: what `keySerializer` made of it,
 * or, without one, what was given; a string stands for its UTF-8 bytes, and null is no key. It must return a whole number from 0 to
 * `partitionCount` - 1; anything else fails the send, as does what it throws (`PARTITIONER_FAILED`).
 */
export type Partitioner = (topic: string, key: Bytes, partitionCount: number) => number

/** Names and defaults are Java's (`acks`, `linger.ms`, `batch.size`, ...); see also `ClientOptions`. */
export interface ProducerOptions<Key = Bytes, Value = Bytes> extends ClientOptions {
  /** Default `'all'`. */
  readonly acks?: Acks
  /** How long a batch waits for company before it is sent. Default 5. */
  readonly lingerMs?: number
  /** Bytes at which a batch is full: after compression, by an estimate. A larger record gets a batch of its own. Default 16384. */
  readonly batchSize?: number
  /** Bytes of records that may wait or be on their way; then sends wait, up to `maxBlockMs`. Default 33554432. */
  readonly bufferMemory?: number
  /** How long a send may wait for metadata or for buffer memory. Default 60000. */
  readonly maxBlockMs?: number
  /** Largest record, and largest request, in bytes before compression. Default 1048576. */
  readonly maxRequestSize?: number
  /** Default `'none'`. */
  readonly compressionType?: CompressionType
  /** -1 (zlib's own choice) or 1 to 9. Default -1. Without effect unless `compressionType` is `'gzip'`, and so on. */
  readonly compressionGzipLevel?: number
  /** 1 to 17. 9, the default, is LZ4's fast compressor; any other is its high compression, many times slower and in JavaScript. */
  readonly compressionLz4Level?: number
  /** -131072 to 22. Default 3. */
  readonly compressionZstdLevel?: number
  /** Each record is stored once, and in order, whatever is retried. Needs `acks: 'all'`. Default true, or false with other acks. */
  readonly enableIdempotence?: boolean
  /** From send to success or failure at the latest, retries included. Default 120000. */
  readonly deliveryTimeoutMs?: number
  /** Default 5, which is also the most with idempotence. */
  readonly maxInFlightRequestsPerConnection?: number
  /**
   * Default: murmur2 of the key as in Java; without a key, one partition after another for a batch's worth of bytes each (KIP-794).
   * `'roundRobin'`: each record to the next partition, whatever its key. Or a function of your own.
   */
  readonly partitioner?: Partitioner | 'roundRobin'
  /** Records with a key go where those without go. Not together with `partitioner`. Default false. */
  readonly partitionerIgnoreKeys?: boolean
  /** Records without a key go rather to partitions that have less waiting, so that a slow broker gets less. Default true. */
  readonly partitionerAdaptivePartitioningEnable?: boolean
  /** A broker that takes nothing for this long gets no records without a key. Default 0: it gets its share. Needs adaptive partitioning. */
  readonly partitionerAvailabilityTimeoutMs?: number
  /** Makes bytes of keys. Default: keys are bytes or strings. */
  readonly keySerializer?: Serializer<Key>
  /** Makes bytes of values. Default: values are bytes or strings. */
  readonly valueSerializer?: Serializer<Value>
  /** Called in their order for each record. Default: none. */
  readonly interceptors?: ReadonlyArray<ProducerInterceptor<NoInfer<Key>, NoInfer<Value>>>
  /**
   * Puts the trace context of the caller into a record's headers. With OpenTelemetry: `(carrier) => propagation.inject(context.active(), carrier)`.
   * Called within `send`, `sendAll` and `post`, once per record. Default: none.
   */
  readonly injectTraceContext?: TraceContextInjector<NoInfer<Key>, NoInfer<Value>>
}

/** Keys and values that are neither strings nor bytes need a serializer. */
export type RequiredSerializers<Key, Value> = ([Key] extends [Bytes] ? unknown : { readonly keySerializer: Serializer<Key> }) &
  ([Value] extends [Bytes] ? unknown : { readonly valueSerializer: Serializer<Value> })

/** Every option, with its default filled in. */
export interface ProducerConfig {
  readonly acks: -1 | 0 | 1
  readonly lingerMs: number
  readonly batchSize: number
  readonly bufferMemory: number
  readonly maxBlockMs: number
  readonly maxRequestSize: number
  readonly compressionType: CompressionType
  /** Of `compressionType`; undefined where that has none. */
  readonly compressionLevel: number | undefined
  readonly enableIdempotence: boolean
  readonly deliveryTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
  readonly maxInFlightRequestsPerConnection: number
  readonly partitioner: Partitioner | 'roundRobin' | null
  readonly partitionerIgnoreKeys: boolean
  readonly partitionerAdaptivePartitioningEnable: boolean
  readonly partitionerAvailabilityTimeoutMs: number
  readonly keySerializer: Serializer<unknown> | null
  readonly valueSerializer: Serializer<unknown> | null
  readonly interceptors: ReadonlyArray<ProducerInterceptor<unknown, unknown>>
  readonly injectTraceContext: TraceContextInjector | null
}

const INTERCEPTOR_METHODS = ['onSend', 'onAcknowledgement', 'close'] as const

type AnyProducerOptions = ProducerOptions<never, never>

const PRODUCER_OPTION_NAMES: readonly string[] = [
  ...CLIENT_OPTION_NAMES,
  'acks',
  'lingerMs',
  'batchSize',
  'bufferMemory',
  'maxBlockMs',
  'maxRequestSize',
  'compressionType',
  'compressionGzipLevel',
  'compressionLz4Level',
  'compressionZstdLevel',
  'enableIdempotence',
  'deliveryTimeoutMs',
  'maxInFlightRequestsPerConnection',
  'partitioner',
  'partitionerIgnoreKeys',
  'partitionerAdaptivePartitioningEnable',
  'partitionerAvailabilityTimeoutMs',
  'keySerializer',
  'valueSerializer',
  'interceptors',
  'injectTraceContext',
]

/**
 * Checks the producer's own options and fills in the defaults; `ClusterClient` checks the rest.
 * @throws {ConfigError}
 */
export function resolveProducerOptions(options: AnyProducerOptions): ProducerConfig {
  refuseUnknownOptions(options, PRODUCER_OPTION_NAMES)
  const acks = acksOption(options.acks)
  const requestTimeoutMs = integerOption(options, 'requestTimeoutMs', 30_000, 1)
  const lingerMs = integerOption(options, 'lingerMs', 5, 0)
  const enableIdempotence = idempotenceOption(options, acks)
  const batchSize = integerOption(options, 'batchSize', 16_384, 0)
  const compressionType = oneOfOption(options, 'compressionType', COMPRESSION_TYPES, 'none')
  return {
    acks,
    lingerMs,
    batchSize,
    bufferMemory: bufferMemoryOption(options, batchSize),
    maxBlockMs: integerOption(options, 'maxBlockMs', 60_000, 0),
    maxRequestSize: integerOption(options, 'maxRequestSize', 1_048_576, 1),
    compressionType,
    compressionLevel: compressionLevelOption(options, compressionType),
    enableIdempotence,
    deliveryTimeoutMs: deliveryTimeoutOption(options, lingerMs, requestTimeoutMs),
    requestTimeoutMs,
    retryBackoffMs: integerOption(options, 'retryBackoffMs', 100, 0),
    retryBackoffMaxMs: integerOption(options, 'retryBackoffMaxMs', 1_000, 0),
    maxInFlightRequestsPerConnection: inFlightOption(options, enableIdempotence),
    ...partitioningOptions(options),
    keySerializer: serializerOption(options, 'keySerializer'),
    valueSerializer: serializerOption(options, 'valueSerializer'),
    interceptors: interceptorsOption(options.interceptors),
    injectTraceContext: injectorOption(options),
  }
}

/** Each level is checked, also those that are of no use now: Java's ranges and defaults (CompressionType.java, GzipCompression.java). */
function compressionLevelOption(options: AnyProducerOptions, type: CompressionType): number | undefined {
  const gzip = integerOption(options, 'compressionGzipLevel', -1, -1, 9)
  if (gzip === 0) throw new ConfigError('compressionGzipLevel', gzip, '-1 or an integer from 1 to 9')
  const lz4 = integerOption(options, 'compressionLz4Level', 9, 1, 17)
  const zstd = integerOption(options, 'compressionZstdLevel', 3, -131_072, 22)
  const levels: Partial<Record<CompressionType, number>> = { gzip, lz4, zstd }
  return levels[type]
}

function acksOption(acks: unknown): -1 | 0 | 1 {
  if (acks === undefined || acks === 'all') return -1
  if (acks === 0 || acks === 1) return acks
  throw new ConfigError('acks', acks, "'all', 1 or 0")
}

function idempotenceOption(options: AnyProducerOptions, acks: -1 | 0 | 1): boolean {
  const value = booleanOption(options, 'enableIdempotence', acks === -1)
  if (value && acks !== -1)
    throw new ConfigError('enableIdempotence', value, `false while acks is ${acks}: idempotence needs acks 'all'`)
  return value
}

/** A batch takes its memory at once. */
function bufferMemoryOption(options: AnyProducerOptions, batchSize: number): number {
  const value = integerOption(options, 'bufferMemory', 33_554_432, 1, Number.MAX_SAFE_INTEGER)
  if (value < batchSize) throw new ConfigError('bufferMemory', value, `at least batchSize, which is ${batchSize}`)
  return value
}

function inFlightOption(options: AnyProducerOptions, idempotent: boolean): number {
  const value = integerOption(options, 'maxInFlightRequestsPerConnection', IDEMPOTENT_IN_FLIGHT_MAX, 1)
  if (idempotent && value > IDEMPOTENT_IN_FLIGHT_MAX) {
    const allowed = `1 to ${IDEMPOTENT_IN_FLIGHT_MAX} while enableIdempotence is true: brokers remember no more batches`
    throw new ConfigError('maxInFlightRequestsPerConnection', value, allowed)
  }
  return value
}

/** As in Java, a default that is too short grows, and a value that is too short is refused. */
function deliveryTimeoutOption(options: AnyProducerOptions, lingerMs: number, requestTimeoutMs: number): number {
  const least = Math.min(lingerMs + requestTimeoutMs, MAX_TIMER_MS)
  if (options.deliveryTimeoutMs === undefined) return Math.max(120_000, least)
  const value = integerOption(options, 'deliveryTimeoutMs', 120_000, 1)
  if (value < least) throw new ConfigError('deliveryTimeoutMs', value, `at least lingerMs + requestTimeoutMs, which is ${least}`)
  return value
}

type Partitioning = Pick<
  ProducerConfig,
  'partitioner' | 'partitionerIgnoreKeys' | 'partitionerAdaptivePartitioningEnable' | 'partitionerAvailabilityTimeoutMs'
>

function partitioningOptions(options: AnyProducerOptions): Partitioning {
  const partitioner = partitionerOption(options.partitioner)
  const partitionerIgnoreKeys = booleanOption(options, 'partitionerIgnoreKeys', false)
  const isAdaptive = booleanOption(options, 'partitionerAdaptivePartitioningEnable', true)
  const availabilityTimeoutMs = integerOption(options, 'partitionerAvailabilityTimeoutMs', 0, 0)
  if (partitionerIgnoreKeys && partitioner !== null)
    throw new ConfigError('partitionerIgnoreKeys', true, 'false together with partitioner, which decides about keys itself')
  if (availabilityTimeoutMs > 0 && !isAdaptive) {
    const allowed = '0 while partitionerAdaptivePartitioningEnable is false'
    throw new ConfigError('partitionerAvailabilityTimeoutMs', availabilityTimeoutMs, allowed)
  }
  return {
    partitioner,
    partitionerIgnoreKeys,
    partitionerAdaptivePartitioningEnable: isAdaptive,
    partitionerAvailabilityTimeoutMs: availabilityTimeoutMs,
  }
}

function partitionerOption(partitioner: unknown): Partitioner | 'roundRobin' | null {
  if (partitioner === undefined) return null
  if (partitioner === 'roundRobin' || typeof partitioner === 'function') return partitioner as Partitioner | 'roundRobin'
  throw new ConfigError('partitioner', partitioner, "'roundRobin' or a function of topic, key and partition count")
}

function functionOption(options: AnyProducerOptions, name: keyof AnyProducerOptions, allowed: string): unknown {
  const value: unknown = options[name]
  if (value === undefined) return null
  if (typeof value !== 'function') throw new ConfigError(name, value, allowed)
  return value
}

function serializerOption(options: AnyProducerOptions, name: 'keySerializer' | 'valueSerializer'): Serializer<unknown> | null {
  return functionOption(options, name, 'a function of data, topic and headers') as Serializer<unknown> | null
}

function injectorOption(options: AnyProducerOptions): TraceContextInjector | null {
  return functionOption(options, 'injectTraceContext', 'a function of a carrier and the record') as TraceContextInjector | null
}

function interceptorsOption(interceptors: unknown): ReadonlyArray<ProducerInterceptor<unknown, unknown>> {
  if (interceptors === undefined) return []
  if (!Array.isArray(interceptors)) throw new ConfigError('interceptors', interceptors, 'an array of interceptors')
  for (const [index, interceptor] of interceptors.entries()) {
    const name = `interceptors[${index}]`
    if (typeof interceptor !== 'object' || interceptor === null) throw new ConfigError(name, interceptor, 'an object')
    const methods = INTERCEPTOR_METHODS.filter((method) => (interceptor as Record<string, unknown>)[method] !== undefined)
    if (methods.length === 0) throw new ConfigError(name, interceptor, `an object with ${INTERCEPTOR_METHODS.join(' or ')}`)
    for (const method of methods) {
      const value = (interceptor as Record<string, unknown>)[method]
      if (typeof value !== 'function') throw new ConfigError(`${name}.${method}`, value, 'a function')
    }
  }
  return [...(interceptors as Array<ProducerInterceptor<unknown, unknown>>)]
}
