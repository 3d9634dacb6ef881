import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { ClientChannel, EndableSession } from '../core/server-session.ts'
import { CONNECTIONS_MAX } from '../limits.ts'
import { BrokerStartError } from './broker-start-error.ts'

/** Makes the session for a connection that was accepted. */
export type Accept = (channel: ClientChannel) => EndableSession

export interface ListenerOptions {
  readonly host: string
  readonly port: number
  /** A connection on which nothing came or went for so long is ended: `connections.max.idle.ms`. */
  readonly maxIdleMs: number
}

/** A timer's longest time. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1

/** Accepts TCP connections and joins each socket to a session. */
export class TcpListener {
  readonly #server: Server
  readonly #maxIdleMs: number
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, maxIdleMs: number) {
    this.#server = server
    this.#maxIdleMs = Math.min(maxIdleMs, TIMEOUT_MAX_MS)
  }

  /** @throws BrokerStartError when the address cannot be bound; the message says which and why */
  static async listen({ host, port, maxIdleMs }: ListenerOptions, accept: Accept): Promise<TcpListener> {
    const server = createServer({ noDelay: true })
    const listener = new TcpListener(server, maxIdleMs)
    server.maxConnections = CONNECTIONS_MAX
    server.on('connection', (socket) => listener.#join(socket, accept))
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(bindError(host, port, error)))
      server.listen(port, host, resolve)
    })
    return listener
  }

  /** The port that is bound: the given one, or the system's choice for 0. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Takes no more connections, ends those there are, and resolves when all are gone. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const socket of this.#sockets) socket.end()
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy()
    }, graceMs)
    await closed
    clearTimeout(cut)
  }

  #join(socket: Socket, accept: Accept): void {
    this.#sockets.add(socket)
    const session = accept(channelOf(socket))
    socket.on('data', (chunk) => session.receive(chunk))
    socket.on('drain', () => session.drained())
    // As Kafka's Selector: whether a request waits makes no difference.
    socket.setTimeout(this.#maxIdleMs, () => {
      session.close(`idle for ${this.#maxIdleMs} ms`)
      // Its end may be gone without a word, and will not answer.
      socket.destroy()
    })
    // A reset by the client is an ordinary end; 'close' follows.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
      session.closed()
    })
  }
}

function channelOf(socket: Socket): ClientChannel {
  return {
    write(chunks, sent) {
      const last = chunks.length - 1
      const written = sent === undefined ? undefined : (error?: Error | null): void => void (error ?? sent())
      // One system call for all of them.
      socket.cork()
      for (const [index, chunk] of chunks.entries()) socket.write(chunk, index === last ? written : undefined)
      socket.uncork()
    },
    close: () => socket.end(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    get unsentBytes() {
      return socket.writableLength
    },
    clientHost: `/${(socket.remoteAddress ?? '').replace(/^::ffff:/, '')}`,
  }
}

function bindError(host: string, port: number, error: NodeJS.ErrnoException): BrokerStartError {
  if (error.code === 'EADDRINUSE') {
    return new BrokerStartError(
      'PORT_IN_USE',
      `port ${port} on ${host} is in use: stop what listens there, or choose another port (0: any free one)`,
      error,
    )
  }
  if (error.code === 'EACCES') {
    return new BrokerStartError(
      'PORT_FORBIDDEN',
      `port ${port} on ${host} is not allowed for this user: choose a port above 1023`,
      error,
    )
  }
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return new BrokerStartError(
      'LISTEN_FAILED',
      `${host} is no address of this machine: choose one that is, or 0.0.0.0 for all`,
      error,
    )
  }
  return new BrokerStartError('LISTEN_FAILED', `cannot listen on ${host}:${port}: ${error.message}`, error)
}
