import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { Direction, PlannedCut } from '@millrace/testkit'

/** Real sockets between clients and a broker that may come back on another port, cut where a test wants it. */
export class TcpProxy {
  /** Where the broker listens now; null: nobody is there. */
  target: number | null = null
  /** Its connection is counted from the last `expect` on. */
  cut: PlannedCut | null = null
  /** Cuts that were made. */
  cuts = 0
  /** Bytes that went through the connections since the last `expect`. */
  traffic: Record<Direction, number>[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket) => this.#join(socket))
  }

  static async listen(): Promise<TcpProxy> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new TcpProxy(server)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Counts connections from 0 again, one of which is to be cut. */
  expect(cut: PlannedCut | null): void {
    this.traffic = []
    this.cut = cut
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #join(client: Socket): void {
    if (this.target === null) return void client.resetAndDestroy()
    const broker = connect(this.target, '127.0.0.1')
    const traffic = { toServer: 0, toClient: 0 }
    const connection = this.traffic.push(traffic) - 1
    const cut = this.cut?.connection === connection ? this.cut : null
    const end = (): void => {
      client.resetAndDestroy()
      broker.resetAndDestroy()
    }
    const carry = (from: Socket, to: Socket, direction: Direction): void => {
      this.#sockets.add(from)
      const limit = cut?.direction === direction ? cut.bytes : Infinity
      const check = (): boolean => {
        if (traffic[direction] < limit) return false
        this.cuts++
        // What came before the cut arrives before it.
        to.end(end)
        return true
      }
      let isCut = limit === 0 && check()
      from.on('data', (chunk: Buffer) => {
        if (isCut) return
        const part = chunk.subarray(0, limit - traffic[direction])
        traffic[direction] += part.length
        to.write(part)
        isCut = check()
      })
      from.on('error', end)
      from.on('close', () => {
        this.#sockets.delete(from)
        to.end()
      })
    }
    carry(client, broker, 'toServer')
    carry(broker, client, 'toClient')
  }
}
