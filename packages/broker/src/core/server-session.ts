import { ErrorCode } from '@millrace/protocol'
import type { ApiVersionsRequest, ApiVersionsResponse } from '@millrace/protocol/apis/api-versions'
import {
  decodeRequestBody,
  decodeRequestHeader,
  encodeResponseFrame,
  FrameSplitter,
  messageOf,
  Reader,
  type RequestHeader,
} from '@millrace/protocol/internal'
import { QUEUED_REQUEST_BYTES_MAX, QUEUED_REQUESTS_MAX, REQUEST_BYTES_MAX, UNSENT_REPLY_BYTES_MAX } from '../limits.ts'
import { NEVER_ANSWERED, type Interception } from '../faults/interception.ts'
import type { TestDoor } from '../faults/test-door.ts'
import type { ApiRouter } from './api-router.ts'
import type { BrokerEvents } from './broker-events.ts'
import type { Timer } from './clock.ts'
import { Deferred } from './deferred.ts'
import { NO_RESPONSE, type AnyHandler, type ConnectionInfo, type RequestContext } from './handler.ts'
import type { BrokerServices } from './services.ts'
import type { Turns } from './turns.ts'

const API_VERSIONS_KEY = 18
/** In place of a body that nobody here can read. */
const UNREAD_API_VERSIONS: ApiVersionsRequest = { clientSoftwareName: '', clientSoftwareVersion: '', clusterId: null, nodeId: -1 }

/** The other end of a session: a socket in src/io, a pipe in tests. */
export interface ClientChannel {
  /** Sends the chunks in order. They are not changed until `sent`, which says that they are looked at no more: a channel need not call it. */
  write(chunks: readonly Buffer[], sent?: () => void): void
  /** Ends the connection after what was written. */
  close(): void
  /** Stops and restarts the input; a channel without them is never held back. */
  pause?(): void
  resume?(): void
  /** Bytes written that the client has not taken yet; a channel that has it calls `drained` when it falls. */
  readonly unsentBytes?: number
  /** Where the client is; `/127.0.0.1` when absent. */
  readonly clientHost?: string
}

/** What the channel calls. */
export interface Session {
  receive(chunk: Buffer): void
  /** The client took bytes: `unsentBytes` fell. */
  drained(): void
  /** The connection is gone. */
  closed(): void
}

/** A session that its channel may end. */
export interface EndableSession extends Session {
  /** Ends the connection after what was written. */
  close(reason: string): void
}

/** A request on its way to its reply. */
interface Exchange {
  readonly handler: AnyHandler
  readonly header: RequestHeader
  /** Null unless a test stepped in. */
  intercepted: Interception | null
  /** Of the handler: its reply was sent. */
  sent: (() => void) | undefined
}

export interface SessionDependencies {
  readonly router: ApiRouter
  readonly services: BrokerServices
  readonly events: BrokerEvents
  readonly turns: Turns
  readonly door: TestDoor
}

/**
 * One client connection. Requests are handled one after the other in the order they came, as in Kafka: a request that waits
 * (a parked Fetch, a JoinGroup) holds back those behind it, so that replies always leave in request order.
 */
export class ServerSession implements EndableSession, ConnectionInfo {
  readonly id: number
  readonly clientHost: string
  clientSoftwareName = ''
  clientSoftwareVersion = ''
  readonly #channel: ClientChannel
  readonly #router: ApiRouter
  readonly #services: BrokerServices
  readonly #events: BrokerEvents
  readonly #turns: Turns
  readonly #door: TestDoor
  readonly #pump = (): void => this.#handleQueued()
  readonly #splitter = new FrameSplitter(REQUEST_BYTES_MAX)
  readonly #closeListeners = new Set<() => void>()
  readonly #enqueue = (frame: Buffer): void => {
    this.#queue.push(frame)
    this.#arrivals.push(this.#arrival)
    this.#queuedBytes += frame.length
  }
  #queue: Buffer[] = []
  /** When the frames of the queue came, at the same index. */
  #arrivals: number[] = []
  #arrival = 0
  #next = 0
  #queuedBytes = 0
  #parked = false
  /** Nothing that comes will ever be handled: a request before it is never answered. */
  #isDeaf = false
  /** Runs while the client is to send nothing (KIP-219). */
  #mute: Timer | null = null
  #pumping = false
  #paused = false
  #closed = false

  constructor(id: number, channel: ClientChannel, dependencies: SessionDependencies) {
    this.id = id
    this.#channel = channel
    this.clientHost = channel.clientHost ?? '/127.0.0.1'
    this.#router = dependencies.router
    this.#services = dependencies.services
    this.#events = dependencies.events
    this.#turns = dependencies.turns
    this.#door = dependencies.door
  }

  get isClosed(): boolean {
    return this.#closed
  }

  receive(chunk: Buffer): void {
    if (this.#closed || this.#isDeaf) return
    this.#arrival = this.#services.clock.now()
    try {
      this.#splitter.push(chunk, this.#enqueue)
    } catch (error) {
      return this.close(`malformed input: ${messageOf(error)}`)
    }
    this.#turns.run(this.#pump)
  }

  drained(): void {
    this.#turns.run(this.#pump)
  }

  closed(): void {
    this.#turns.run(() => this.#end('closed by the client'))
  }

  close(reason: string): void {
    if (this.#closed) return
    this.#end(reason)
    this.#channel.close()
  }

  onClose(listener: () => void): () => void {
    this.#closeListeners.add(listener)
    return () => void this.#closeListeners.delete(listener)
  }

  #end(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#dropQueued()
    this.#mute?.cancel()
    const listeners = [...this.#closeListeners]
    this.#closeListeners.clear()
    for (const listener of listeners) listener()
    this.#events.connectionClosed({ connectionId: this.id, clientHost: this.clientHost, reason })
  }

  /** Handles what may be handled now. Why not, in this order: closed, a request waits, a throttle time runs, the client does not read. */
  #handleQueued(): void {
    if (this.#pumping) return
    this.#pumping = true
    while (!this.#closed) {
      if (this.#parked || this.#mute !== null) break
      if (this.#next === this.#queue.length) break
      if ((this.#channel.unsentBytes ?? 0) > UNSENT_REPLY_BYTES_MAX) break
      const arrival = this.#arrivals[this.#next]!
      const frame = this.#queue[this.#next++]!
      this.#queuedBytes -= frame.length
      this.#handle(frame, arrival)
    }
    this.#pumping = false
    if (this.#closed) return
    this.#dropHandled()
    this.#regulateInput()
  }

  #dropHandled(): void {
    if (this.#next === 0) return
    const isEmpty = this.#next === this.#queue.length
    this.#queue = isEmpty ? [] : this.#queue.slice(this.#next)
    this.#arrivals = isEmpty ? [] : this.#arrivals.slice(this.#next)
    this.#next = 0
  }

  #dropQueued(): void {
    this.#queue = []
    this.#arrivals = []
    this.#next = 0
    this.#queuedBytes = 0
  }

  #regulateInput(): void {
    const full = this.#queue.length >= QUEUED_REQUESTS_MAX || this.#queuedBytes >= QUEUED_REQUEST_BYTES_MAX
    if (full === this.#paused) return
    this.#paused = full
    if (full) this.#channel.pause?.()
    else this.#channel.resume?.()
  }

  #handle(frame: Buffer, arrival: number): void {
    const reader = new Reader(frame)
    let header: RequestHeader
    try {
      header = decodeRequestHeader(reader)
    } catch (error) {
      return this.close(`malformed request header: ${messageOf(error)}`)
    }
    const handler = this.#router.find(header.apiKey)
    if (handler === undefined) return this.close(`API key ${header.apiKey} is not served`)
    const version = header.apiVersion
    if (version < handler.minVersion || version > handler.maxVersion) return this.#refuseVersion(handler, header, arrival)
    let request: unknown
    try {
      request = decodeRequestBody(handler.api, version, reader)
    } catch (error) {
      return this.close(`malformed ${handler.api.name} v${version}: ${messageOf(error)}`)
    }
    this.#answer(handler, header, request, arrival)
  }

  #answer(handler: AnyHandler, header: RequestHeader, request: unknown, arrival: number): void {
    const services = this.#services
    const exchange: Exchange = { handler, header, intercepted: null, sent: undefined }
    const context: RequestContext = {
      broker: services,
      now: services.clock.now(),
      version: header.apiVersion,
      clientId: header.clientId,
      connection: this,
      whenSent: (action) => void (exchange.sent = action),
    }
    let reply: unknown
    try {
      if (this.#door.isOpen) exchange.intercepted = this.#door.intercept({ handler, header, request, context, arrival })
      reply = exchange.intercepted === null ? handler.handle(request, context) : exchange.intercepted.handle()
    } catch (error) {
      return this.#fail(handler, header, error)
    }
    if (reply === NEVER_ANSWERED) return this.#hearNoMore()
    if (!(reply instanceof Deferred)) return this.#finish(exchange, reply)
    this.#parked = true
    reply.onComplete((value: unknown) => {
      this.#parked = false
      if (this.#closed) return
      this.#finish(exchange, value)
      this.#turns.after(this.#pump)
    })
  }

  #finish(exchange: Exchange, reply: unknown): void {
    const { intercepted } = exchange
    if (reply === NO_RESPONSE) intercepted?.unanswered()
    else this.#send(exchange, reply)
    const throttleTimeMs = intercepted?.throttleTimeMs ?? 0
    if (throttleTimeMs > 0 && !this.#closed) this.#muteFor(throttleTimeMs)
  }

  /** The reply went out at once; what the client sends before the time is over waits (KIP-219, `ThrottledChannel`). */
  #muteFor(throttleTimeMs: number): void {
    this.#mute = this.#services.clock.after(throttleTimeMs, () => {
      this.#mute = null
      this.#turns.run(this.#pump)
    })
  }

  /** What came and comes behind a request that is never answered is dropped: kept, it would only hide that the client is gone. */
  #hearNoMore(): void {
    this.#parked = true
    this.#isDeaf = true
    this.#dropQueued()
  }

  #send({ handler, header, intercepted, sent }: Exchange, reply: unknown): void {
    if (this.#closed) return
    let chunks: Buffer[]
    try {
      chunks = encodeResponseFrame(handler.api, header.apiVersion, header.correlationId, reply as never)
    } catch (error) {
      return this.#fail(handler, header, error)
    }
    // What a test stepped into may keep the bytes, or send them later.
    if (intercepted === null) return this.#channel.write(chunks, sent)
    const delivery = intercepted.deliver(chunks)
    if (delivery.chunks.length > 0) this.#channel.write(delivery.chunks)
    if (delivery.cut !== null) this.close(delivery.cut)
  }

  /**
   * A defect of ours. The connection is cut rather than answered: clients retry after a lost connection, while
   * UNKNOWN_SERVER_ERROR is fatal to Java producers (KAFKA-14034).
   */
  #fail(handler: AnyHandler, header: RequestHeader, error: unknown): void {
    this.#events.requestFailed({ connectionId: this.id, api: handler.api.name, version: header.apiVersion, error })
    this.close(`${handler.api.name} v${header.apiVersion} failed: ${messageOf(error)}`)
  }

  /** ApiVersions of an unknown version is answered in v0, so that a newer client can step down (KIP-511). Others close. */
  #refuseVersion(handler: AnyHandler, header: RequestHeader, arrival: number): void {
    if (header.apiKey !== API_VERSIONS_KEY || header.apiVersion < 0) {
      return this.close(`${handler.api.name} v${header.apiVersion} is not served (v${handler.minVersion}-${handler.maxVersion})`)
    }
    const refusing: AnyHandler = { ...handler, handle: () => unsupportedVersion(handler) }
    this.#answer(refusing, { ...header, apiVersion: 0 }, UNREAD_API_VERSIONS, arrival)
  }
}

function unsupportedVersion({ minVersion, maxVersion }: AnyHandler): ApiVersionsResponse {
  return {
    errorCode: ErrorCode.UNSUPPORTED_VERSION,
    apiKeys: [{ apiKey: API_VERSIONS_KEY, minVersion, maxVersion }],
    throttleTimeMs: 0,
    supportedFeatures: [],
    finalizedFeaturesEpoch: -1n,
    finalizedFeatures: [],
    zkMigrationReady: false,
  }
}
