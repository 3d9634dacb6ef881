export { BrokerError, ConfigError, ErrorCode, KafkaError, ProtocolError, type KafkaErrorOptions } from '@millrace/protocol'
export { CorruptRecordError, DecompressionLimitError, KafkaRecord, type CompressionType } from '@millrace/records'
export { BootstrapError, ConnectionError, TimeoutError, type BootstrapAttempt, type ClientOptions } from '@millrace/client'
export {
  DeliveryTimeoutError,
  Producer,
  RecordTooLargeError,
  SendAllError,
  SendTimeoutError,
  type Acks,
  type Bytes,
  type CloseOptions,
  type DeliveredRange,
  type HeadersInput,
  type Partitioner,
  type ProducerOptions,
  type ProducerRecord,
  type RecordInput,
  type RecordMetadata,
  type SendAllResult,
} from '@millrace/producer'
