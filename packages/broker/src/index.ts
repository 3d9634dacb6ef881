export type { BrokerConfigValues } from './config/broker-config.ts'
export { Broker } from './io/broker.ts'
export type { BrokerOptions } from './io/broker-options.ts'
export { BrokerStartError, type BrokerStartErrorCode } from './io/broker-start-error.ts'
