import { channel } from 'node:diagnostics_channel'

/** Published on the diagnostics channel `millrace.broker.connection.closed`. */
export interface ConnectionClosedEvent {
  readonly connectionId: number
  readonly clientHost: string
  readonly reason: string
}

/** Published on `millrace.broker.request.failed`: a defect in this broker, never a client's mistake. */
export interface RequestFailedEvent {
  readonly connectionId: number
  readonly api: string
  readonly version: number
  readonly error: unknown
}

/** Published on `millrace.broker.storage.failed`: a log could not be written or read. */
export interface StorageFailedEvent {
  readonly what: string
  readonly error: unknown
}

const connectionClosed = channel('millrace.broker.connection.closed')
const requestFailed = channel('millrace.broker.request.failed')
const storageFailed = channel('millrace.broker.storage.failed')

/** What a broker tells to those who listen on node:diagnostics_channel; costs nothing when nobody does. */
export class BrokerEvents {
  connectionClosed(event: ConnectionClosedEvent): void {
    if (connectionClosed.hasSubscribers) connectionClosed.publish(event)
  }

  requestFailed(event: RequestFailedEvent): void {
    if (requestFailed.hasSubscribers) requestFailed.publish(event)
  }

  storageFailed(event: StorageFailedEvent): void {
    if (storageFailed.hasSubscribers) storageFailed.publish(event)
  }
}
