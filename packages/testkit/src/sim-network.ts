import type { Endpoint, Transport, TransportHandler } from '@millrace/client/internal'
import type { ClientChannel, Session } from '@millrace/broker/internal'
import type { SeededRandom } from './seeded-random.ts'
import type { SimClock } from './sim-clock.ts'
import { SimPipe, type PipeLoad } from './sim-pipe.ts'

/** What goes wrong on the network, as chances from 0 to 1 and times in milliseconds. May be changed while it runs. */
export interface NetworkFaults {
  /** Each chunk takes from `delayMinMs` to `delayMaxMs`; order within a connection is kept, as TCP does. */
  delayMinMs: number
  delayMaxMs: number
  /** That a connection is refused. */
  refuse: number
  /** That a write cuts its connection, somewhere within its bytes. */
  cut: number
  /** That a chunk arrives in two pieces, cut anywhere. */
  split: number
}

export const HEALTHY: Readonly<NetworkFaults> = { delayMinMs: 0, delayMaxMs: 1, refuse: 0, cut: 0, split: 0 }

/** A cut at an exact place: of one connection, after so many bytes one way, the last of which still arrives. */
export interface PlannedCut {
  /** Counted from 0 in the order of connecting. */
  readonly connection: number
  readonly direction: Direction
  readonly bytes: number
}

export type Direction = 'toServer' | 'toClient'

/** Bytes that one connection was given to carry. */
export type Traffic = Record<Direction, number>

/** What serves connections: `BrokerCore` is one. */
export interface SimServer {
  connect(channel: ClientChannel): Session
}

/** Joins clients to brokers in memory and in simulated time. `connect` is a client's `Environment.connect`. */
export class SimNetwork {
  faults: NetworkFaults
  /** Connections that faults have cut or refused so far. */
  brokenConnections = 0
  /** Each hits its connection once. */
  plannedCuts: readonly PlannedCut[] = []
  /** Of each connection so far, in the order of connecting. */
  readonly traffic: Readonly<Traffic>[] = []
  readonly #clock: SimClock
  readonly #random: SeededRandom
  readonly #servers = new Map<string, SimServer>()
  readonly #connections = new Map<string, Set<SimConnection>>()

  constructor(clock: SimClock, random: SeededRandom, faults: Readonly<NetworkFaults> = HEALTHY) {
    this.#clock = clock
    this.#random = random
    this.faults = { ...faults }
  }

  /** From now on, connections to the endpoint reach this server. */
  listen(endpoint: Endpoint, server: SimServer): void {
    this.#servers.set(keyOf(endpoint), server)
  }

  /** The server is gone: its connections are cut and new ones refused. */
  unlisten(endpoint: Endpoint): void {
    this.#servers.delete(keyOf(endpoint))
    this.cut(endpoint)
  }

  /** Cuts every connection to the endpoint; new ones are possible. */
  cut(endpoint: Endpoint): void {
    const connections = this.#connections.get(keyOf(endpoint))
    // A copy: each that is reset leaves the set.
    if (connections !== undefined) for (const connection of Array.from(connections)) connection.reset()
  }

  readonly connect = (endpoint: Endpoint, handler: TransportHandler): Transport => {
    const key = keyOf(endpoint)
    const random = this.#random.fork()
    const traffic = { toServer: 0, toClient: 0 }
    const index = this.traffic.push(traffic) - 1
    const connection = new SimConnection(
      { clock: this.#clock, random, faults: () => this.faults, traffic, cutAt: this.#cutOf(index) },
      handler,
      (isBroken) => {
        of.delete(connection)
        if (isBroken) this.brokenConnections++
      },
    )
    const of = this.#connections.get(key) ?? new Set()
    this.#connections.set(key, of.add(connection))
    this.#clock.after(random.between(this.faults.delayMinMs, this.faults.delayMaxMs), () => {
      const server = random.chance(this.faults.refuse) ? undefined : this.#servers.get(key)
      if (server === undefined) connection.refused()
      else connection.opened(server)
    })
    return connection.transport
  }

  #cutOf(index: number): Traffic {
    const bytes = (direction: Direction): number => {
      const cuts = this.plannedCuts.filter((cut) => cut.connection === index && cut.direction === direction)
      return Math.min(Infinity, ...cuts.map((cut) => cut.bytes))
    }
    return { toServer: bytes('toServer'), toClient: bytes('toClient') }
  }
}

/** What a connection runs on. */
interface Wire {
  readonly clock: SimClock
  readonly random: SeededRandom
  readonly faults: () => NetworkFaults
  readonly traffic: Traffic
  /** Bytes after which it is cut; `Infinity`: not planned. */
  readonly cutAt: Traffic
}

/** One connection: a pipe each way, and what its two ends are told. */
class SimConnection {
  readonly transport: Transport
  readonly #handler: TransportHandler
  readonly #ended: (isBroken: boolean) => void
  readonly #toServer: SimPipe
  readonly #toClient: SimPipe
  #session: Session | null = null
  #clientGone = false
  #serverGone = false
  #wantsDrain = false

  constructor(wire: Wire, handler: TransportHandler, ended: (isBroken: boolean) => void) {
    this.#handler = handler
    this.#ended = ended
    const reset = (): void => this.reset()
    const { clock, random, faults, traffic, cutAt } = wire
    const carries = (direction: Direction): PipeLoad => ({
      cutAt: cutAt[direction],
      wrote: (bytes) => void (traffic[direction] += bytes),
    })
    this.#toServer = new SimPipe(clock, random, faults, carries('toServer'), {
      deliver: (chunk) => this.#session?.receive(chunk),
      drained: () => this.#clientDrained(),
      ended: () => this.#serverClosed(),
      broken: reset,
    })
    this.#toClient = new SimPipe(clock, random, faults, carries('toClient'), {
      deliver: (chunk) => {
        if (this.#clientGone) return
        // Like a socket's, the memory is the client's during the call only: what keeps a view of it will read garbage.
        const memory = Buffer.from(chunk)
        handler.onData(memory)
        memory.fill(0xa5)
      },
      drained: () => this.#session?.drained(),
      ended: () => this.#clientClosed(null),
      broken: reset,
    })
    this.transport = {
      write: (chunks) => this.#clientWrites(chunks),
      destroy: () => {
        this.#clientGone = true
        this.#toServer.end()
        this.#toClient.stop()
      },
    }
  }

  refused(): void {
    this.#serverGone = true
    this.#clientClosed(new Error('connect ECONNREFUSED (simulated)'))
  }

  opened(server: SimServer): void {
    if (this.#clientGone) return this.#ended(false)
    const pipe = this.#toClient
    this.#session = server.connect({
      write: (chunks) => void pipe.write(chunks),
      close: () => pipe.end(),
      pause: () => this.#toServer.pause(),
      resume: () => this.#toServer.resume(),
      get unsentBytes() {
        return pipe.bufferedBytes
      },
      clientHost: '/127.0.0.1',
    })
    this.#handler.onConnect()
  }

  /** Both ends see a reset; what was under way is lost. */
  reset(): void {
    this.#toServer.stop()
    this.#toClient.stop()
    this.#serverClosed()
    this.#clientClosed(new Error('read ECONNRESET (simulated)'))
  }

  #clientWrites(chunks: readonly Buffer[]): boolean {
    this.#wantsDrain = !this.#toServer.write(chunks)
    return !this.#wantsDrain
  }

  #clientDrained(): void {
    if (!this.#wantsDrain || this.#clientGone) return
    this.#wantsDrain = false
    this.#handler.onDrain()
  }

  #serverClosed(): void {
    if (this.#serverGone) return
    this.#serverGone = true
    this.#ended(false)
    this.#toClient.stop()
    this.#session?.closed()
  }

  #clientClosed(error: Error | null): void {
    if (this.#clientGone) return
    this.#clientGone = true
    this.#ended(error !== null)
    this.#toServer.stop()
    this.#handler.onClose(error)
    this.#serverClosed()
  }
}

function keyOf({ host, port }: Endpoint): string {
  return `${host}:${port}`
}
