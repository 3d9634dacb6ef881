import type { Api } from '@millrace/protocol'
import { decodeCorrelationId, decodeResponseBody, encodeRequestFrame, FrameSplitter, Reader } from '@millrace/protocol/internal'
import { connect, type Socket } from 'node:net'

/** A client on a real socket, one request at a time or many. */
export class SocketClient {
  readonly socket: Socket
  readonly #waiting = new Map<number, (frame: Buffer) => void>()
  #lost: ((error: Error) => void)[] = []
  #correlationId = 0

  private constructor(socket: Socket) {
    this.socket = socket
    const splitter = new FrameSplitter(1 << 30)
    socket.on('data', (chunk) =>
      splitter.push(chunk, (frame) => {
        const id = decodeCorrelationId(new Reader(frame))
        this.#waiting.get(id)?.(frame)
        this.#waiting.delete(id)
      }),
    )
    socket.on('error', () => {})
    socket.on('close', () => {
      for (const reject of this.#lost) reject(new Error('the connection is closed'))
      this.#lost = []
    })
  }

  static async open(port: number, host = '127.0.0.1'): Promise<SocketClient> {
    const socket = connect(port, host)
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new SocketClient(socket)
  }

  async ask<Request, Response>(api: Api<Request, Response>, version: number, request: Request): Promise<Response> {
    const id = ++this.#correlationId
    const frame = new Promise<Buffer>((resolve, reject) => {
      this.#waiting.set(id, resolve)
      this.#lost.push(reject)
    })
    this.socket.write(Buffer.concat(encodeRequestFrame(api, version, id, 'socket-test', request)))
    const reader = new Reader(await frame)
    decodeCorrelationId(reader)
    return decodeResponseBody(api, version, reader)
  }

  close(): void {
    this.socket.destroy()
  }
}
