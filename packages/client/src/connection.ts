import type { Api, KafkaError } from '@millrace/protocol'
import { Alarm } from './alarm.ts'
import type { Authenticator } from './core/authenticator.ts'
import type { BrokerVersions } from './core/broker-versions.ts'
import { ClientSession } from './core/client-session.ts'
import { connectionFailed } from './core/session-errors.ts'
import { sessionRequest, type RequestBody, type SessionEffect, type SessionRequest } from './core/session-request.ts'
import {
  connectionCloseChannel,
  connectionOpenChannel,
  requestEndChannel,
  requestStartChannel,
  type ConnectionOpenMessage,
} from './diagnostics.ts'
import type { Endpoint, Environment, Transport } from './environment.ts'
import { aborted, addressOf } from './errors.ts'

export interface ConnectionOptions {
  readonly endpoint: Endpoint
  readonly nodeId: number
  readonly role: string
  readonly clientId: string
  readonly softwareVersion: string
  readonly requestTimeoutMs: number
  readonly maxInFlight: number
  /** -1: never closed for being idle. */
  readonly maxIdleMs: number
  readonly setupTimeoutMs: number
  /** How long to wait before connecting: the reconnect backoff. */
  readonly delayMs: number
  readonly authenticator: Authenticator | null
  readonly environment: Environment
  readonly onReady: (versions: BrokerVersions) => void
  /** The connection is no more. `error` is null if we ended it in order. */
  readonly onClosed: (error: KafkaError | null) => void
}

export interface RequestOptions {
  /** Which of a node's connections: long polls and coordination have their own. Default `'main'`. */
  readonly role?: string | undefined
  /** Default `requestTimeoutMs`. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** No higher version is used. */
  readonly maxVersion?: number | undefined
  /** If it may be sent now, it leaves before anything else is done in this turn: the caller is about to keep the event loop busy. Default false. */
  readonly flush?: boolean | undefined
  /** The broker answers nothing (Produce with acks=0): resolves to undefined when the request is written. */
  readonly noResponse?: boolean | undefined
}

interface Owner {
  readonly resolve: (response: unknown) => void
  readonly reject: (error: KafkaError) => void
  readonly signal: AbortSignal | undefined
  onAbort: (() => void) | undefined
  startedAt: number
}

/** A session joined to a transport and one timer. Requests may be handed over from the first moment: they wait until it is ready. */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #session: ClientSession<Owner>
  #transport: Transport | null = null
  readonly #alarm: Alarm
  #setupDeadline: number
  #connectAt: number
  #lastUsedAt: number
  #isConnecting = false
  #isClosed = false

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#alarm = new Alarm(options.environment.clock, () => this.#tick())
    const now = options.environment.clock.now()
    this.#lastUsedAt = now
    this.#connectAt = now + options.delayMs
    this.#setupDeadline = Infinity
    this.#session = new ClientSession(options)
    if (options.delayMs <= 0) this.#connect(now)
    this.#schedule()
  }

  get isReady(): boolean {
    return this.#session.state === 'ready'
  }

  /** Requests accepted and not settled. */
  get pendingCount(): number {
    return this.#session.pendingCount
  }

  request<Request, Response>(
    api: Api<Request, Response>,
    body: RequestBody<Request>,
    options: RequestOptions,
  ): Promise<Response> {
    return new Promise<Response>((resolve, reject) => {
      const { signal } = options
      if (signal?.aborted === true) return reject(aborted(signal))
      const now = this.#options.environment.clock.now()
      const timeoutMs = options.timeoutMs ?? this.#options.requestTimeoutMs
      const limits = { deadline: now + timeoutMs, timeoutMs, noResponse: options.noResponse, maxVersion: options.maxVersion }
      const owner: Owner = { resolve: resolve as (response: unknown) => void, reject, signal, onAbort: undefined, startedAt: now }
      const request = sessionRequest(api, body, limits, owner)
      if (signal !== undefined) this.#listen(request, signal)
      if (requestStartChannel.hasSubscribers) requestStartChannel.publish({ ...this.#description(), api: api.name, request })
      this.#lastUsedAt = now
      this.#session.submit(request, now)
      this.#perform(now)
      if (options.flush === true) this.#transport?.flush?.()
    })
  }

  /** Ends the connection; everything pending is rejected with `error`. */
  close(error: KafkaError): void {
    this.#session.close(error)
    this.#performEffects(this.#options.environment.clock.now(), true)
  }

  // ---- events ----

  #connect(now: number): void {
    const { environment, endpoint, setupTimeoutMs } = this.#options
    this.#connectAt = Infinity
    this.#setupDeadline = now + setupTimeoutMs
    this.#isConnecting = true
    const session = this.#session
    this.#transport = environment.connect(endpoint, {
      get room() {
        return session.room
      },
      onConnect: () => {
        const now = environment.clock.now()
        this.#isConnecting = false
        this.#setupDeadline = Infinity
        this.#session.connected(now)
        this.#perform(now)
      },
      onData: (chunk) => {
        const now = environment.clock.now()
        this.#lastUsedAt = now
        this.#session.received(chunk, now)
        this.#perform(now)
      },
      onDrain: () => {
        const now = environment.clock.now()
        this.#session.writable(true, now)
        this.#perform(now)
      },
      onClose: (error) => {
        this.#session.transportClosed(error)
        this.#perform(environment.clock.now())
      },
    })
  }

  #tick(): void {
    const now = this.#options.environment.clock.now()
    if (now >= this.#connectAt) this.#connect(now)
    if (this.#isConnecting && now >= this.#setupDeadline) this.#setupTimedOut()
    this.#session.tick(now)
    if (now >= this.#idleDeadline()) this.#closeIdle()
    else this.#perform(now)
  }

  #setupTimedOut(): void {
    const reason = `not connected within ${this.#options.setupTimeoutMs} ms`
    this.#session.close(connectionFailed(this.#options.endpoint, reason, undefined))
  }

  #closeIdle(): void {
    this.#session.close(connectionFailed(this.#options.endpoint, 'closed because it was idle', undefined))
    this.#performEffects(this.#options.environment.clock.now(), true)
  }

  // ---- effects ----

  #perform(now: number): void {
    this.#performEffects(now, false)
    this.#schedule()
  }

  #performEffects(now: number, isOurs: boolean): void {
    for (let effects = this.#session.drain(); effects.length > 0; effects = this.#session.drain()) {
      for (const effect of effects) this.#performOne(effect, now, isOurs)
    }
  }

  #performOne(effect: SessionEffect<Owner>, now: number, isOurs: boolean): void {
    switch (effect.type) {
      case 'write':
        if (!this.#transport!.write(effect.chunks)) this.#session.writable(false, now)
        return
      case 'ready':
        if (connectionOpenChannel.hasSubscribers) connectionOpenChannel.publish(this.#description())
        return this.#options.onReady(this.#session.versions!)
      case 'response':
        this.#release(effect.request, null, now)
        return effect.request.owner.resolve(effect.response)
      case 'failure':
        this.#release(effect.request, effect.error, now)
        return effect.request.owner.reject(effect.error)
      case 'close':
        return this.#closed(isOurs ? null : effect.error)
    }
  }

  #closed(error: KafkaError | null): void {
    this.#isClosed = true
    this.#alarm.cancel()
    this.#transport?.destroy()
    if (connectionCloseChannel.hasSubscribers) connectionCloseChannel.publish({ ...this.#description(), error })
    this.#options.onClosed(error)
  }

  #listen(request: SessionRequest<Owner>, signal: AbortSignal): void {
    const owner = request.owner
    owner.onAbort = () => {
      this.#session.abandon(request)
      this.#release(request, aborted(signal), this.#options.environment.clock.now())
      owner.reject(aborted(signal))
    }
    signal.addEventListener('abort', owner.onAbort, { once: true })
  }

  #release(request: SessionRequest<Owner>, error: KafkaError | null, now: number): void {
    const { owner } = request
    if (owner.onAbort !== undefined) owner.signal!.removeEventListener('abort', owner.onAbort)
    if (!requestEndChannel.hasSubscribers) return
    const durationMs = now - owner.startedAt
    requestEndChannel.publish({
      ...this.#description(),
      api: request.api.name,
      request,
      version: request.version,
      durationMs,
      error,
    })
  }

  #description(): ConnectionOpenMessage {
    const { clientId, nodeId, role, endpoint } = this.#options
    return { clientId, nodeId, role, address: addressOf(endpoint) }
  }

  // ---- the one timer ----

  #idleDeadline(): number {
    if (this.#options.maxIdleMs < 0 || this.#session.pendingCount > 0 || !this.isReady) return Infinity
    return this.#lastUsedAt + this.#options.maxIdleMs
  }

  #schedule(): void {
    if (this.#isClosed) return
    this.#alarm.set(Math.min(this.#connectAt, this.#setupDeadline, this.#session.deadline, this.#idleDeadline()))
  }
}
