export type { Api, AnyApi } from './api.ts'
export { BrokerError, errorFor, errorName } from './broker-error.ts'
export {
  decodeCorrelationId,
  decodeRequestBody,
  decodeRequestHeader,
  decodeResponseBody,
  encodeRequestFrame,
  encodeResponseFrame,
  type RequestHeader,
} from './frame.ts'
export { FrameSplitter } from './frame-splitter.ts'
export { ErrorCode } from './generated/error-table.ts'
export { ConfigError, KafkaError, ProtocolError, type KafkaErrorOptions, type ProtocolErrorCode } from './kafka-error.ts'
export { negotiateVersion } from './negotiate.ts'
export { ZERO_UUID } from './wire/fields.ts'
export { Reader } from './wire/reader.ts'
export { Writer } from './wire/writer.ts'
