import { ErrorCode } from '@millrace/protocol'
import {
  decodeRequestBody,
  decodeRequestHeader,
  encodeResponseFrame,
  FrameSplitter,
  Reader,
  type RequestHeader,
} from '@millrace/protocol/internal'
import { QUEUED_REQUEST_BYTES_MAX, QUEUED_REQUESTS_MAX, REQUEST_BYTES_MAX, UNSENT_REPLY_BYTES_MAX } from '../limits.ts'
import type { Interception } from '../faults/interception.ts'
import type { TestDoor } from '../faults/test-door.ts'
import type { ApiRouter } from './api-router.ts'
import type { BrokerEvents } from './broker-events.ts'
import { Deferred } from './deferred.ts'
import { NO_RESPONSE, type AnyHandler, type ConnectionInfo } from './handler.ts'
import type { BrokerServices } from './services.ts'
import type { Turns } from './turns.ts'

const API_VERSIONS_KEY = 18

/** The other end of a session: a socket in src/io, a pipe in tests. */
export interface ClientChannel {
  /** Sends the chunks in order. They are not changed afterwards. */
  write(chunks: readonly Buffer[]): void
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
export class ServerSession implements Session, ConnectionInfo {
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
    this.#queuedBytes += frame.length
  }
  #queue: Buffer[] = []
  #next = 0
  #queuedBytes = 0
  #parked = false
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
    if (this.#closed) return
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
    this.#queue = []
    this.#queuedBytes = 0
    const listeners = [...this.#closeListeners]
    this.#closeListeners.clear()
    for (const listener of listeners) listener()
    this.#events.connectionClosed({ connectionId: this.id, clientHost: this.clientHost, reason })
  }

  /** Handles what may be handled now. Why not, in this order: closed, a request waits, the client does not read. */
  #handleQueued(): void {
    if (this.#pumping) return
    this.#pumping = true
    while (!this.#closed) {
      if (this.#parked) break
      if (this.#next === this.#queue.length) break
      if ((this.#channel.unsentBytes ?? 0) > UNSENT_REPLY_BYTES_MAX) break
      const frame = this.#queue[this.#next++]!
      this.#queuedBytes -= frame.length
      this.#handle(frame)
    }
    this.#pumping = false
    if (this.#closed) return
    this.#dropHandled()
    this.#regulateInput()
  }

  #dropHandled(): void {
    if (this.#next === 0) return
    this.#queue = this.#next === this.#queue.length ? [] : this.#queue.slice(this.#next)
    this.#next = 0
  }

  #regulateInput(): void {
    const full = this.#queue.length >= QUEUED_REQUESTS_MAX || this.#queuedBytes >= QUEUED_REQUEST_BYTES_MAX
    if (full === this.#paused) return
    this.#paused = full
    if (full) this.#channel.pause?.()
    else this.#channel.resume?.()
  }

  #handle(frame: Buffer): void {
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
    if (version < handler.minVersion || version > handler.maxVersion) return this.#refuseVersion(handler, header)
    let request: unknown
    try {
      request = decodeRequestBody(handler.api, version, reader)
    } catch (error) {
      return this.close(`malformed ${handler.api.name} v${version}: ${messageOf(error)}`)
    }
    this.#answer(handler, header, request)
  }

  #answer(handler: AnyHandler, header: RequestHeader, request: unknown): void {
    const services = this.#services
    const context = {
      broker: services,
      now: services.clock.now(),
      version: header.apiVersion,
      clientId: header.clientId,
      connection: this,
    }
    let intercepted: Interception | null = null
    let reply: unknown
    try {
      if (this.#door.isOpen) intercepted = this.#door.intercept(handler, header, request, context)
      reply = intercepted === null ? handler.handle(request, context) : intercepted.handle()
    } catch (error) {
      return this.#fail(handler, header, error)
    }
    if (reply === NO_RESPONSE) return
    if (!(reply instanceof Deferred)) return this.#send(handler, header, reply, intercepted)
    this.#parked = true
    reply.onComplete((value: unknown) => {
      this.#parked = false
      if (this.#closed) return
      this.#send(handler, header, value, intercepted)
      this.#turns.after(this.#pump)
    })
  }

  #send(handler: AnyHandler, header: RequestHeader, reply: unknown, intercepted: Interception | null): void {
    if (this.#closed) return
    let chunks: Buffer[]
    try {
      chunks = encodeResponseFrame(handler.api, header.apiVersion, header.correlationId, reply as never)
    } catch (error) {
      return this.#fail(handler, header, error)
    }
    if (intercepted === null) return this.#channel.write(chunks)
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
  #refuseVersion(handler: AnyHandler, header: RequestHeader): void {
    if (header.apiKey !== API_VERSIONS_KEY || header.apiVersion < 0) {
      return this.close(`${handler.api.name} v${header.apiVersion} is not served (v${handler.minVersion}-${handler.maxVersion})`)
    }
    const range = { apiKey: API_VERSIONS_KEY, minVersion: handler.minVersion, maxVersion: handler.maxVersion }
    this.#send(
      handler,
      { ...header, apiVersion: 0 },
      {
        errorCode: ErrorCode.UNSUPPORTED_VERSION,
        apiKeys: [range],
        throttleTimeMs: 0,
        supportedFeatures: [],
        finalizedFeaturesEpoch: -1n,
        finalizedFeatures: [],
        zkMigrationReady: false,
      },
      null,
    )
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
