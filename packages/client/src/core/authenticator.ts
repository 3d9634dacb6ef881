import type { AnyApi } from '@millrace/protocol'
import type { BrokerVersions } from './broker-versions.ts'

/** A request that an authenticator wants sent before anything else is. */
export interface AuthenticationStep {
  readonly api: AnyApi
  readonly request: unknown
}

/**
 * The step between version negotiation and a usable connection. SASL will be one of these; until then no connection has one.
 * It is a state machine: a new one is made for each connection, `null` means that the broker let us in, and a KafkaError that it
 * throws ends the connection with `CONNECTION_FAILED`.
 */
export interface Authenticator {
  begin(versions: BrokerVersions): AuthenticationStep | null
  receive(response: unknown): AuthenticationStep | null
}
