import { channel, type Channel } from 'node:diagnostics_channel'
import type { KafkaError } from '@millrace/protocol'

/** On `millrace:client:connection:open`: a connection is ready for requests. */
export interface ConnectionOpenMessage {
  readonly clientId: string
  readonly nodeId: number
  readonly role: string
  /** `host:port` */
  readonly address: string
}

/** On `millrace:client:connection:close`: a connection, or an attempt at one, is at its end. */
export interface ConnectionCloseMessage extends ConnectionOpenMessage {
  /** null: closed because it was idle, replaced or the client closed. */
  readonly error: KafkaError | null
}

/** On `millrace:client:request:start`: a request was handed to its connection (where it may wait). */
export interface RequestStartMessage extends ConnectionOpenMessage {
  /** Kafka's name: `Produce`. */
  readonly api: string
  /** The same value in start and end; nothing else about it is promised. */
  readonly request: object
}

/** On `millrace:client:request:end`: it was answered, or failed. */
export interface RequestEndMessage extends RequestStartMessage {
  /** -1 if it was never sent. */
  readonly version: number
  readonly durationMs: number
  readonly error: KafkaError | null
}

export const connectionOpenChannel: Channel<ConnectionOpenMessage, ConnectionOpenMessage> = channel(
  'millrace:client:connection:open',
) as Channel<ConnectionOpenMessage, ConnectionOpenMessage>
export const connectionCloseChannel: Channel<ConnectionCloseMessage, ConnectionCloseMessage> = channel(
  'millrace:client:connection:close',
) as Channel<ConnectionCloseMessage, ConnectionCloseMessage>
export const requestStartChannel: Channel<RequestStartMessage, RequestStartMessage> = channel(
  'millrace:client:request:start',
) as Channel<RequestStartMessage, RequestStartMessage>
export const requestEndChannel: Channel<RequestEndMessage, RequestEndMessage> = channel('millrace:client:request:end') as Channel<
  RequestEndMessage,
  RequestEndMessage
>
