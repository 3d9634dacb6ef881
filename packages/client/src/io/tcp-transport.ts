import { lookup } from 'node:dns'
import { connect, isIP, type Socket } from 'node:net'
import type { Endpoint, Transport, TransportHandler } from '../environment.ts'
import { ADDRESS_ATTEMPT_MS, MAX_ADDRESSES_PER_HOST, READ_BUFFER_BYTES } from '../limits.ts'

interface Address {
  readonly address: string
  readonly family: number
}

/** All addresses of a name, as `dns.lookup` gives them. */
export type Resolver = (host: string, done: (error: NodeJS.ErrnoException | null, addresses: readonly Address[]) => void) => void

const systemResolver: Resolver = (host, done) => lookup(host, { all: true }, done)

/**
 * A TCP connection. A name is resolved to all its addresses and each is tried in turn until one accepts (`client.dns.lookup=use_all_dns_ips`).
 * What is written within one turn of the event loop leaves in one system call, unless it is flushed.
 */
export class TcpTransport implements Transport {
  readonly #endpoint: Endpoint
  readonly #handler: TransportHandler
  readonly #resolver: Resolver
  #socket: Socket | null = null
  #attemptTimer: NodeJS.Timeout | undefined
  #isConnected = false
  #isDestroyed = false
  #isCorked = false
  readonly #memory: Buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)
  /** Where the next read goes. */
  readonly #nextMemory = (): Buffer => (this.#isDestroyed ? null : this.#handler.room) ?? this.#memory
  readonly #onRead = (bytes: number, memory: Uint8Array): boolean => {
    if (!this.#isDestroyed) this.#handler.onData((memory as Buffer).subarray(0, bytes))
    return true
  }

  constructor(endpoint: Endpoint, handler: TransportHandler, resolver: Resolver = systemResolver) {
    this.#endpoint = endpoint
    this.#handler = handler
    this.#resolver = resolver
    if (isIP(endpoint.host) !== 0) this.#attempt([{ address: endpoint.host, family: isIP(endpoint.host) }], 0, [])
    else this.#resolve()
  }

  write(chunks: readonly Buffer[]): boolean {
    const socket = this.#socket
    if (socket === null || !this.#isConnected) throw new Error('written to before the connection is there')
    if (!this.#isCorked) {
      this.#isCorked = true
      socket.cork()
      process.nextTick(() => this.flush())
    }
    for (const chunk of chunks) socket.write(chunk)
    return !socket.writableNeedDrain
  }

  flush(): void {
    if (!this.#isCorked) return
    this.#isCorked = false
    this.#socket!.uncork()
  }

  destroy(): void {
    this.#isDestroyed = true
    clearTimeout(this.#attemptTimer)
    // A request without an answer counts as done once it is written.
    this.flush()
    this.#socket?.destroy()
  }

  #resolve(): void {
    this.#resolver(this.#endpoint.host, (error, addresses) => {
      if (this.#isDestroyed) return
      if (error !== null) return this.#end(unknownHost(this.#endpoint.host, error))
      this.#attempt(addresses.slice(0, MAX_ADDRESSES_PER_HOST), 0, [])
    })
  }

  #attempt(addresses: readonly Address[], index: number, failures: Error[]): void {
    const candidate = addresses[index]
    if (candidate === undefined) return this.#end(allFailed(failures))
    let socket: Socket
    try {
      socket = connect({
        host: candidate.address,
        family: candidate.family,
        port: this.#endpoint.port,
        noDelay: true,
        keepAlive: true,
        // Memory that is read into over and over, or that of a long frame itself: a new piece per read, as 'data' events bring, is most of
        // a consumer's garbage.
        onread: { buffer: this.#nextMemory, callback: this.#onRead },
      })
    } catch (error) {
      // A broker can advertise a port that none can be; the owner is not to be called back from its own call.
      process.nextTick(() => this.#end(error as Error))
      return
    }
    this.#socket = socket
    let isOver = false
    const next = (error: Error): void => {
      if (isOver || this.#isDestroyed) return
      isOver = true
      clearTimeout(this.#attemptTimer)
      socket.destroy()
      this.#attempt(addresses, index + 1, [...failures, error])
    }
    // The last address has no limit of its own: the owner's setup timeout ends it.
    if (index < addresses.length - 1) {
      this.#attemptTimer = setTimeout(() => next(new Error(`no answer from ${candidate.address}`)), ADDRESS_ATTEMPT_MS)
    }
    socket.once('error', next)
    socket.once('connect', () => {
      if (isOver || this.#isDestroyed) return
      isOver = true
      clearTimeout(this.#attemptTimer)
      socket.off('error', next)
      this.#serve(socket)
    })
    socket.on('error', noop)
  }

  #serve(socket: Socket): void {
    this.#isConnected = true
    let failure: Error | null = null
    socket.on('error', (error) => {
      failure = error
    })
    socket.on('drain', () => {
      if (!this.#isDestroyed) this.#handler.onDrain()
    })
    socket.on('end', () => socket.destroy())
    socket.on('close', () => this.#end(failure))
    this.#handler.onConnect()
  }

  #end(error: Error | null): void {
    if (this.#isDestroyed) return
    this.#isDestroyed = true
    this.#handler.onClose(error)
  }
}

function noop(): void {}

function unknownHost(host: string, cause: NodeJS.ErrnoException): Error {
  const code = cause.code ?? 'unknown reason'
  return Object.assign(new Error(`unknown host ${host} (${code})`, { cause }), { code })
}

function allFailed(failures: readonly Error[]): Error {
  if (failures.length === 1) return failures[0]!
  return new AggregateError(failures, failures.map((failure) => failure.message).join('; ') || 'the name has no address')
}
