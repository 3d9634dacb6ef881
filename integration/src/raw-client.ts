import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Api } from '@millrace/protocol'
import { decodeCorrelationId, decodeResponseBody, encodeRequestFrame, FrameSplitter, Reader } from '@millrace/protocol/internal'

const FRAME_BYTES_MAX = 1 << 30

/** A connection that sends any request as it is given, right or wrong, and gives back the reply. */
export class RawClient {
  readonly #socket: Socket
  readonly #waiting = new Map<number, { resolve(frame: Buffer): void; reject(error: Error): void }>()
  #correlationId = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    const splitter = new FrameSplitter(FRAME_BYTES_MAX)
    socket.on('data', (chunk) =>
      splitter.push(chunk, (frame) => {
        const id = decodeCorrelationId(new Reader(frame))
        this.#waiting.get(id)?.resolve(frame)
        this.#waiting.delete(id)
      }),
    )
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the connection was cut'))
    })
  }

  static async open(bootstrapServers: string): Promise<RawClient> {
    const [host, port] = bootstrapServers.split(':')
    const socket = connect(Number(port), host)
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  async ask<Request, Response>(api: Api<Request, Response>, version: number, request: Request): Promise<Response> {
    const id = ++this.#correlationId
    const reply = new Promise<Buffer>((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
    this.#socket.write(Buffer.concat(encodeRequestFrame(api, version, id, 'raw', request)))
    const reader = new Reader(await reply)
    decodeCorrelationId(reader)
    return decodeResponseBody(api, version, reader)
  }

  close(): void {
    this.#socket.destroy()
  }
}
