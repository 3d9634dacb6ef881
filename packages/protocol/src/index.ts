export type { Api, AnyApi } from './api.ts'
export { ConfigError, KafkaError, ProtocolError, type KafkaErrorOptions } from './kafka-error.ts'
export { ZERO_UUID } from './wire/fields.ts'
