import { BrokerError, errorFor, KafkaError, type KafkaErrorOptions } from '@millrace/protocol'
import type { Endpoint } from './environment.ts'

/**
 * A connection could not be made, or ended while something was expected from it.
 * `CONNECTION_FAILED`: not established; the message has the reason (unknown host, refused, no answer in time).
 * `CONNECTION_CLOSED`: ended with requests unanswered.
 * `NOT_KAFKA`: what answers at this address does not speak the Kafka protocol, or not without TLS or SASL.
 */
export class ConnectionError extends KafkaError {
  override readonly name: string = 'ConnectionError'
  readonly host: string
  readonly port: number

  constructor(
    code: 'CONNECTION_FAILED' | 'CONNECTION_CLOSED' | 'NOT_KAFKA',
    endpoint: Endpoint,
    message: string,
    options: KafkaErrorOptions = {},
  ) {
    super(code, message, { retriable: true, ...options })
    this.host = endpoint.host
    this.port = endpoint.port
  }
}

/**
 * Time ran out on our side. `REQUEST_TIMED_OUT_LOCALLY`: one request had no answer within its timeout (the broker's own
 * timeout is `REQUEST_TIMED_OUT`). `API_TIMED_OUT`: a call with its retries did not finish; `cause` is the last failure.
 */
export class TimeoutError extends KafkaError {
  override readonly name: string = 'TimeoutError'
  readonly timeoutMs: number

  constructor(code: 'REQUEST_TIMED_OUT_LOCALLY' | 'API_TIMED_OUT', timeoutMs: number, message: string, cause?: unknown) {
    super(code, message, { retriable: true, cause })
    this.timeoutMs = timeoutMs
  }
}

/** No broker gave us the cluster's metadata. `attempts` has each address that was tried, with what went wrong there. */
export class BootstrapError extends KafkaError {
  override readonly name: string = 'BootstrapError'
  readonly attempts: readonly BootstrapAttempt[]

  constructor(attempts: readonly BootstrapAttempt[], retriable: boolean) {
    const list = attempts.map(describeAttempt).join('; ')
    super('BOOTSTRAP_FAILED', `no broker could be reached (${list === '' ? 'none was tried' : list}); check bootstrapServers`, {
      retriable,
      cause: attempts.length === 1 ? attempts[0]!.error : undefined,
    })
    this.attempts = attempts
  }
}

/** Most messages have the address in them already. */
function describeAttempt({ address, error }: BootstrapAttempt): string {
  return error.message.includes(address) ? error.message : `${address}: ${error.message}`
}

export interface BootstrapAttempt {
  /** `host:port` */
  readonly address: string
  readonly error: KafkaError
}

/** The broker's error for `code`, with what it is about in front: `topic orders: UNKNOWN_TOPIC_OR_PARTITION: …`. */
export function errorAbout(code: number, subject: string, brokerMessage?: string | null): BrokerError {
  const error = errorFor(code, brokerMessage)
  return new BrokerError(error.code, code, `${subject}: ${error.message}`, error.retriable)
}

/** `close()` was called on the client. */
export function clientClosed(what = 'the client'): KafkaError {
  return new KafkaError('CLIENT_CLOSED', `${what} is closed`, { fatal: true })
}

/** The caller's signal fired; `cause` is its reason. */
export function aborted(signal: AbortSignal): KafkaError {
  return new KafkaError('ABORTED', 'aborted by the caller', { cause: signal.reason })
}

/** `host:port`, with brackets around an IPv6 address. */
export function addressOf(endpoint: Endpoint): string {
  return endpoint.host.includes(':') ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`
}

/** Whether the same work may succeed when tried again; an error that is none of ours never is. */
export function isRetriable(error: unknown): boolean {
  return error instanceof KafkaError && error.retriable && !error.fatal
}
