export {
  Producer,
  type CloseOptions,
  type FlushOptions,
  type ReadyOptions,
  type SendAllOptions,
  type SendOptions,
} from './producer.ts'
export type { Acks, Partitioner, ProducerOptions, RequiredSerializers } from './config.ts'
export { SendAllError, type DeliveredRange, type DeliveryCallback, type RefusedRecord, type SendAllResult } from './delivery.ts'
export type { ProducerBatchMessage, ProducerRefusedMessage } from './diagnostics.ts'
export type { HookFailure, ProducerEvents } from './events.ts'
export { DeliveryTimeoutError, RecordTooLargeError, SendTimeoutError, SerializationError } from './errors.ts'
export type { ProducerInterceptor } from './interceptor.ts'
export type { ProducerMetrics } from './producer-metrics.ts'
export type { ProducerNodeMetrics } from './node-metrics.ts'
export type { ProducerTopicMetrics } from './topic-metrics.ts'
export type { Bytes, HeaderPairs, HeadersInput, ProducerRecord, RecordInput, RecordMetadata } from './record.ts'
export { bytesSerializer, jsonSerializer, stringSerializer, type MutableHeaders, type Serializer } from './serializer.ts'
export type { TraceContextInjector } from './trace-context.ts'
