import { apiVersionsApi } from '@millrace/protocol/apis/api-versions'
import { errorFor, KafkaError, ProtocolError, type AnyApi } from '@millrace/protocol'
import { decodeCorrelationId, decodeResponseBody, encodeRequestFrame, FrameSplitter, Reader } from '@millrace/protocol/internal'
import type { Endpoint } from '../environment.ts'
import { addressOf } from '../errors.ts'
import {
  MAX_AUTHENTICATION_STEPS,
  MAX_NEGOTIATION_BYTES,
  MAX_QUEUED_PER_CONNECTION,
  MAX_RESPONSE_BYTES,
  RESPONSE_RESERVE_BYTES,
  MAX_THROTTLE_MS,
} from '../limits.ts'
import type { AuthenticationStep, Authenticator } from './authenticator.ts'
import { BrokerVersions } from './broker-versions.ts'
import { apiVersionsRequest, FIRST_API_VERSIONS_VERSION, readApiVersions } from './negotiation.ts'
import {
  closedBeforeAnswer,
  closedBeforeFirstAnswer,
  connectionClosed,
  connectionFailed,
  handshakeFailed,
  handshakeTimedOut,
  requestTimedOut,
  undecodable,
  unencodable,
} from './session-errors.ts'
import type { SessionEffect, SessionRequest } from './session-request.ts'

export interface SessionOptions {
  readonly endpoint: Endpoint
  readonly clientId: string
  readonly softwareVersion: string
  /** How long negotiation, and each step of authentication, may take. */
  readonly requestTimeoutMs: number
  readonly maxInFlight: number
  readonly authenticator: Authenticator | null
}

const MAX_CORRELATION_ID = 0x7fffffff
const NO_EFFECTS: readonly never[] = []

/**
 * One connection's state, without the connection: correlation ids, pipelining, version negotiation and authentication
 * before anything else, answers strictly in the order of the requests, deadlines, throttling. It is told what happened and when;
 * `drain` says what to do about it, and `deadline` when `tick` is next due.
 */
export class ClientSession<Owner> {
  readonly #options: SessionOptions
  #state: 'connecting' | 'negotiating' | 'authenticating' | 'ready' | 'closed' = 'connecting'
  #splitter = new FrameSplitter(MAX_NEGOTIATION_BYTES, { reusesChunks: true })
  #hasReceived = false
  #hasAnswered = false
  #effects: SessionEffect<Owner>[] = []
  #queue: SessionRequest<Owner>[] = []
  /** Sent and not answered, oldest first; `#oldest` is where they begin, so that taking one costs no shift. */
  #inFlight: SessionRequest<Owner>[] = []
  #oldest = 0
  #nextCorrelationId = 0
  #versions: BrokerVersions | null = null
  #handshake: { api: AnyApi; version: number; correlationId: number; steps: number } | null = null
  #handshakeDeadline = Infinity
  #requestDeadline = Infinity
  #mutedUntil = 0
  #isWritable = true

  constructor(options: SessionOptions) {
    this.#options = options
  }

  get state(): 'connecting' | 'negotiating' | 'authenticating' | 'ready' | 'closed' {
    return this.#state
  }

  /** Known once the session is ready. */
  get versions(): BrokerVersions | null {
    return this.#versions
  }

  /** Requests that were accepted and are not settled. */
  get pendingCount(): number {
    return this.#queue.length + this.#inFlight.length - this.#oldest
  }

  get inFlightCount(): number {
    return this.#inFlight.length - this.#oldest
  }

  /** When `tick` is next due; `Infinity` if nothing is awaited. */
  get deadline(): number {
    const muteEnd = this.#queue.length > 0 && this.#mutedUntil > 0 ? this.#mutedUntil : Infinity
    return Math.min(this.#handshakeDeadline, this.#requestDeadline, muteEnd)
  }

  drain(): readonly SessionEffect<Owner>[] {
    if (this.#effects.length === 0) return NO_EFFECTS
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  /** The transport is there: negotiation begins. */
  connected(now: number): void {
    if (this.#state !== 'connecting') return
    this.#state = 'negotiating'
    this.#negotiate(FIRST_API_VERSIONS_VERSION, 1, now)
  }

  submit(request: SessionRequest<Owner>, now: number): void {
    if (this.#state === 'closed') return this.#fail(request, connectionClosed(this.#options.endpoint, null))
    if (this.#queue.length >= MAX_QUEUED_PER_CONNECTION) {
      const message = `${MAX_QUEUED_PER_CONNECTION} requests already wait for ${this.#address}`
      return this.#fail(request, new KafkaError('TOO_MANY_REQUESTS', message, { retriable: true }))
    }
    this.#queue.push(request)
    if (request.deadline < this.#requestDeadline) this.#requestDeadline = request.deadline
    this.#pump(now)
  }

  /** Nobody waits for this request any more. If it was sent its answer is still awaited, and dropped. */
  abandon(request: SessionRequest<Owner>): void {
    if (request.state === 'sent') request.state = 'abandoned'
    if (request.state !== 'queued') return
    request.state = 'settled'
    this.#queue = this.#queue.filter((queued) => queued !== request)
  }

  /** Where the next bytes would be best read into; null when that makes no difference. */
  get room(): Buffer | null {
    return this.#splitter.room
  }

  /** The memory of `chunk` may be used again afterwards, unless it is of `room`. */
  received(chunk: Buffer, now: number): void {
    if (this.#state === 'closed' || this.#state === 'connecting') return
    const firstBytes = this.#hasReceived ? null : chunk
    this.#hasReceived = true
    try {
      this.#split(chunk, now)
    } catch (cause) {
      const endpoint = this.#options.endpoint
      this.#close(this.#state === 'ready' ? connectionClosed(endpoint, cause) : handshakeFailed(endpoint, cause, firstBytes))
    }
    if (this.#state === 'ready') this.#pump(now)
  }

  /** Whether the transport takes more; while it does not, requests wait in the queue. */
  writable(isWritable: boolean, now: number): void {
    this.#isWritable = isWritable
    this.#pump(now)
  }

  /** The transport ended, in order or with an error. */
  transportClosed(error: Error | null): void {
    const endpoint = this.#options.endpoint
    if (this.#state === 'connecting') this.#close(connectionFailed(endpoint, reasonOf(error), error))
    else if (this.#state === 'negotiating' && !this.#hasReceived) this.#close(closedBeforeAnswer(endpoint, error))
    else if (this.#state === 'ready' && !this.#hasAnswered && this.inFlightCount > 0)
      this.#close(closedBeforeFirstAnswer(endpoint, error))
    else this.#close(connectionClosed(endpoint, error))
  }

  /** Ends the session from our side; every request fails with `error`. */
  close(error: KafkaError): void {
    this.#close(error)
  }

  tick(now: number): void {
    if (this.#state === 'closed') return
    if (now >= this.#handshakeDeadline)
      return this.#close(handshakeTimedOut(this.#options.endpoint, this.#options.requestTimeoutMs))
    if (now >= this.#requestDeadline) this.#expire(now)
    this.#pump(now)
  }

  get #address(): string {
    return addressOf(this.#options.endpoint)
  }

  // ---- negotiation and authentication ----

  #negotiate(version: number, steps: number, now: number): void {
    this.#sendHandshake(apiVersionsApi, version, apiVersionsRequest(this.#options.softwareVersion), steps, now)
  }

  #sendHandshake(api: AnyApi, version: number, request: unknown, steps: number, now: number): void {
    const correlationId = this.#takeCorrelationId()
    this.#handshake = { api, version, correlationId, steps }
    this.#handshakeDeadline = now + this.#options.requestTimeoutMs
    const chunks = encodeRequestFrame(api, version, correlationId, this.#options.clientId, request)
    this.#effects.push({ type: 'write', chunks })
  }

  #handshakeFrame(frame: Buffer, now: number): void {
    const { api, version, correlationId, steps } = this.#handshake!
    this.#expectCorrelationId(frame, correlationId)
    if (this.#state === 'authenticating') {
      const response: unknown = decodeResponseBody(api, version, new Reader(frame, 4))
      return this.#authenticate(this.#options.authenticator!.receive(response), steps + 1, now)
    }
    const negotiation = readApiVersions(frame, version)
    if (negotiation.type === 'again') return this.#negotiate(negotiation.version, steps + 1, now)
    if (negotiation.type === 'refused') throw errorFor(negotiation.errorCode)
    this.#versions = new BrokerVersions(this.#address, negotiation.response)
    this.#mute(negotiation.response.throttleTimeMs, now)
    this.#state = 'authenticating'
    this.#authenticate(this.#options.authenticator?.begin(this.#versions) ?? null, 0, now)
  }

  #authenticate(step: AuthenticationStep | null, steps: number, now: number): void {
    if (step === null) return this.#becomeReady()
    if (steps >= MAX_AUTHENTICATION_STEPS) throw new KafkaError('AUTHENTICATION_FAILED', `no end after ${steps} exchanges`)
    this.#sendHandshake(step.api, this.#versions!.pick(step.api, step.api.maxVersion), step.request, steps, now)
  }

  #becomeReady(): void {
    this.#handshake = null
    this.#handshakeDeadline = Infinity
    this.#state = 'ready'
    this.#splitter = new FrameSplitter(MAX_RESPONSE_BYTES, { reserveBytes: RESPONSE_RESERVE_BYTES, reusesChunks: true })
    this.#effects.push({ type: 'ready' })
  }

  // ---- requests and answers ----

  /** Sends what may be sent now; each exit is a reason why the rest must wait. */
  #pump(now: number): void {
    if (this.#state !== 'ready') return
    let sent = 0
    while (sent < this.#queue.length) {
      if (!this.#isWritable) break
      if (now < this.#mutedUntil) break
      if (this.inFlightCount >= this.#options.maxInFlight) break
      this.#send(this.#queue[sent]!, now)
      sent++
    }
    if (sent > 0) this.#queue.splice(0, sent)
    if (now >= this.#mutedUntil) this.#mutedUntil = 0
  }

  #send(request: SessionRequest<Owner>, now: number): void {
    let chunks: Buffer[]
    try {
      request.version = this.#versions!.pick(request.api, request.maxVersion)
      const body =
        typeof request.body === 'function' ? (request.body as (version: number) => unknown)(request.version) : request.body
      request.correlationId = this.#takeCorrelationId()
      chunks = encodeRequestFrame(request.api, request.version, request.correlationId, this.#options.clientId, body)
    } catch (cause) {
      return this.#fail(request, unencodable(request.api, cause))
    }
    request.sentAt = now
    request.hardDeadline = Math.max(request.deadline, now + this.#options.requestTimeoutMs)
    request.state = 'sent'
    this.#effects.push({ type: 'write', chunks })
    if (!request.noResponse) {
      this.#inFlight.push(request)
      return
    }
    request.state = 'settled'
    this.#effects.push({ type: 'response', request, response: undefined })
  }

  #split(chunk: Buffer, now: number): void {
    const splitter = this.#splitter
    splitter.push(chunk, (frame) => this.#frame(frame, now))
    if (splitter === this.#splitter || splitter.bufferedBytes === 0) return
    throw new ProtocolError('CORRUPT_FRAME', `${splitter.bufferedBytes} bytes that nobody asked for`)
  }

  #frame(frame: Buffer, now: number): void {
    if (this.#state === 'closed') return
    if (this.#state !== 'ready') {
      this.#handshakeFrame(frame, now)
      return
    }
    const request = this.#inFlight[this.#oldest]
    if (request === undefined)
      throw new ProtocolError('CORRUPT_FRAME', `an answer of ${frame.length} bytes that nobody asked for`)
    this.#expectCorrelationId(frame, request.correlationId)
    this.#hasAnswered = true
    this.#takeOldest()
    if (request.state === 'abandoned') return
    this.#settle(request, frame, now)
  }

  #settle(request: SessionRequest<Owner>, frame: Buffer, now: number): void {
    let response: unknown
    try {
      response = decodeResponseBody(request.api, request.version, new Reader(frame, 4))
    } catch (cause) {
      const error = undecodable(request, this.#options.endpoint, cause)
      this.#fail(request, error)
      throw error
    }
    request.state = 'settled'
    this.#mute((response as { throttleTimeMs?: unknown }).throttleTimeMs, now)
    this.#effects.push({ type: 'response', request, response })
  }

  #takeOldest(): void {
    this.#oldest++
    if (this.#oldest === this.#inFlight.length) {
      this.#inFlight.length = 0
      this.#oldest = 0
    } else if (this.#oldest >= this.#options.maxInFlight) {
      this.#inFlight.splice(0, this.#oldest)
      this.#oldest = 0
    }
  }

  /** KIP-219: the broker answers at once and then reads nothing from this connection for so long. */
  #mute(throttleTimeMs: unknown, now: number): void {
    if (typeof throttleTimeMs !== 'number' || throttleTimeMs <= 0) return
    this.#mutedUntil = Math.max(this.#mutedUntil, now + Math.min(throttleTimeMs, MAX_THROTTLE_MS))
  }

  /**
   * A request that is late fails. Its connection stays if the caller was merely in a hurry; once an answer is late by
   * `requestTimeoutMs` the connection goes too, since every answer behind it would be as late.
   */
  #expire(now: number): void {
    for (let index = this.#oldest; index < this.#inFlight.length; index++) {
      const request = this.#inFlight[index]!
      if (request.deadline > now) continue
      const error = requestTimedOut(request, this.#options.endpoint)
      this.#fail(request, error)
      if (request.hardDeadline <= now) return this.#close(connectionClosed(this.#options.endpoint, error))
      request.state = 'abandoned'
    }
    const late = this.#queue.filter((request) => request.deadline <= now)
    if (late.length > 0) this.#queue = this.#queue.filter((request) => request.deadline > now)
    for (const request of late) this.#fail(request, requestTimedOut(request, this.#options.endpoint))
    this.#requestDeadline = this.#earliestDeadline()
  }

  #earliestDeadline(): number {
    let earliest = Infinity
    for (let index = this.#oldest; index < this.#inFlight.length; index++) {
      const request = this.#inFlight[index]!
      earliest = Math.min(earliest, request.state === 'abandoned' ? request.hardDeadline : request.deadline)
    }
    for (const request of this.#queue) earliest = Math.min(earliest, request.deadline)
    return earliest
  }

  #takeCorrelationId(): number {
    const id = this.#nextCorrelationId
    this.#nextCorrelationId = id === MAX_CORRELATION_ID ? 0 : id + 1
    return id
  }

  #expectCorrelationId(frame: Buffer, expected: number): void {
    const id = decodeCorrelationId(new Reader(frame))
    if (id === expected) return
    throw new ProtocolError('CORRUPT_FRAME', `an answer with correlation id ${id} where ${expected} is next`)
  }

  // ---- the end ----

  #close(error: KafkaError): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    const pending = [...this.#inFlight.slice(this.#oldest), ...this.#queue]
    this.#inFlight = []
    this.#oldest = 0
    this.#queue = []
    this.#handshakeDeadline = Infinity
    this.#requestDeadline = Infinity
    for (const request of pending) this.#fail(request, error)
    this.#effects.push({ type: 'close', error })
  }

  #fail(request: SessionRequest<Owner>, error: KafkaError): void {
    if (request.state === 'settled') return
    const isAwaited = request.state !== 'abandoned'
    request.state = 'settled'
    if (isAwaited) this.#effects.push({ type: 'failure', request, error })
  }
}

function reasonOf(error: Error | null): string {
  return error === null ? 'closed at once' : error.message
}
