import { KafkaError, ProtocolError, type AnyApi } from '@millrace/protocol'
import { messageOf } from '@millrace/protocol/internal'
import type { Endpoint } from '../environment.ts'
import { addressOf, ConnectionError, TimeoutError } from '../errors.ts'
import { guessProtocol } from './negotiation.ts'
import type { SessionRequest } from './session-request.ts'

const MAYBE_SECURED = 'it may be no Kafka broker, or one that expects TLS or SASL'

export function connectionFailed(endpoint: Endpoint, reason: string, cause: unknown, retriable = true): ConnectionError {
  return new ConnectionError('CONNECTION_FAILED', endpoint, `cannot connect to ${addressOf(endpoint)}: ${reason}`, {
    retriable,
    cause,
  })
}

export function connectionClosed(endpoint: Endpoint, cause: unknown): ConnectionError {
  const reason = cause instanceof Error ? `: ${cause.message}` : ' by the other end'
  return new ConnectionError('CONNECTION_CLOSED', endpoint, `the connection to ${addressOf(endpoint)} was closed${reason}`, {
    cause,
  })
}

/** The broker negotiated and then hung up on the first request: a listener with SASL does that to who does not authenticate. */
export function closedBeforeFirstAnswer(endpoint: Endpoint, cause: Error | null): ConnectionError {
  const reason = cause === null ? 'closed by the other end' : `lost: ${cause.message}`
  const message = `the connection to ${addressOf(endpoint)} was ${reason} before it answered any request; the listener may expect SASL`
  return new ConnectionError('CONNECTION_CLOSED', endpoint, message, { cause: cause ?? undefined })
}

/** The transport ended before a single byte of an answer: a broker that stops does this too, so it may be tried again. */
export function closedBeforeAnswer(endpoint: Endpoint, cause: Error | null): ConnectionError {
  const message = `${addressOf(endpoint)} closed the connection without answering ApiVersions; ${MAYBE_SECURED}`
  return new ConnectionError('NOT_KAFKA', endpoint, message, { retriable: true, cause: cause ?? undefined })
}

/** What came in answer to ApiVersions is no Kafka frame, or what came during authentication made no sense. */
export function handshakeFailed(endpoint: Endpoint, cause: unknown, firstBytes: Buffer | null): ConnectionError {
  const isGarbage = !(cause instanceof KafkaError) || (cause instanceof ProtocolError && cause.code !== 'UNSUPPORTED_VERSION')
  if (!isGarbage) return connectionFailed(endpoint, cause.message, cause, cause.retriable)
  const guess = firstBytes === null ? null : guessProtocol(firstBytes)
  const what =
    guess === null ? `does not answer in the Kafka protocol; ${MAYBE_SECURED}` : `answers in ${guess}, not in the Kafka protocol`
  return new ConnectionError('NOT_KAFKA', endpoint, `${addressOf(endpoint)} ${what}`, { retriable: false, cause })
}

export function handshakeTimedOut(endpoint: Endpoint, timeoutMs: number): TimeoutError {
  const message = `${addressOf(endpoint)} accepted the connection but did not answer ApiVersions within ${timeoutMs} ms; ${MAYBE_SECURED}`
  return new TimeoutError('REQUEST_TIMED_OUT_LOCALLY', timeoutMs, message)
}

export function requestTimedOut(request: SessionRequest, endpoint: Endpoint): TimeoutError {
  const what =
    request.state === 'queued' ? `could not be sent to ${addressOf(endpoint)}` : `had no answer from ${addressOf(endpoint)}`
  const message = `${request.api.name} ${what} within ${request.timeoutMs} ms`
  return new TimeoutError('REQUEST_TIMED_OUT_LOCALLY', request.timeoutMs, message)
}

export function undecodable(request: SessionRequest, endpoint: Endpoint, cause: unknown): ProtocolError {
  return new ProtocolError(
    'CORRUPT_FRAME',
    `${request.api.name} v${request.version} from ${addressOf(endpoint)}: ${messageOf(cause)}`,
    cause,
  )
}

/** A body that its function could not make, or that does not fit the protocol. */
export function unencodable(api: AnyApi, cause: unknown): KafkaError {
  const isNameless = cause instanceof ProtocolError && cause.code === 'VALUE_OUT_OF_RANGE'
  if (isNameless) return new ProtocolError('VALUE_OUT_OF_RANGE', `${api.name} cannot be encoded: ${cause.message}`, cause)
  if (cause instanceof KafkaError) return cause
  return new KafkaError('REQUEST_NOT_ENCODABLE', `${api.name} cannot be encoded: ${messageOf(cause)}`, { cause })
}
