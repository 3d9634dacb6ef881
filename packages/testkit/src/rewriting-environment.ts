import { nodeEnvironment, type Environment, type TransportHandler } from '@millrace/client/internal'
import type { AnyApi, Api } from '@millrace/protocol'
import {
  decodeCorrelationId,
  decodeRequestHeader,
  decodeResponseBody,
  encodeResponseFrame,
  FrameSplitter,
  Reader,
} from '@millrace/protocol/internal'
import { MAX_REWRITTEN_FRAME_BYTES } from './limits.ts'

/** What becomes of the answers of one API on their way to the client. */
export interface Rewrite {
  readonly api: AnyApi
  apply(response: unknown): unknown
}

/** Typed as its API is. */
export function rewrite<Request, Response>(api: Api<Request, Response>, apply: (response: Response) => Response): Rewrite {
  return { api, apply }
}

/** An API and version that the client asked for, by API key. */
export interface AskedFor {
  readonly apiKey: number
  readonly version: number
}

/**
 * The environment of a client, with answers of brokers rewritten between the socket and the client: how to meet a broker with older versions, or
 * a cluster of more brokers than there are. `asked` gets every request that goes out.
 */
export function rewritingEnvironment(
  rewrites: readonly Rewrite[],
  asked: (request: AskedFor) => void = () => {},
  environment: Environment = nodeEnvironment,
): Environment {
  return {
    clock: environment.clock,
    random: () => environment.random(),
    connect(endpoint, handler) {
      const proxy = new RewritingProxy(handler, rewrites, asked)
      const transport = environment.connect(endpoint, proxy)
      return {
        write(chunks) {
          proxy.wrote(chunks)
          return transport.write(chunks)
        },
        flush: () => transport.flush?.(),
        destroy: () => transport.destroy(),
      }
    },
  }
}

class RewritingProxy implements TransportHandler {
  readonly #handler: TransportHandler
  readonly #rewrites: ReadonlyMap<number, Rewrite>
  readonly #asked: (request: AskedFor) => void
  readonly #requests = new FrameSplitter(MAX_REWRITTEN_FRAME_BYTES)
  readonly #responses = new FrameSplitter(MAX_REWRITTEN_FRAME_BYTES)
  readonly #pending = new Map<number, AskedFor>()

  constructor(handler: TransportHandler, rewrites: readonly Rewrite[], asked: (request: AskedFor) => void) {
    this.#handler = handler
    this.#rewrites = new Map(rewrites.map((one) => [one.api.key, one]))
    this.#asked = asked
  }

  wrote(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) {
      // A copy: what is written is the client's, and may be written to again.
      this.#requests.push(Buffer.from(chunk), (frame) => {
        const { apiKey, apiVersion, correlationId } = decodeRequestHeader(new Reader(frame))
        const request = { apiKey, version: apiVersion }
        this.#pending.set(correlationId, request)
        this.#asked(request)
      })
    }
  }

  onConnect(): void {
    this.#handler.onConnect()
  }

  onData(chunk: Buffer): void {
    this.#responses.push(Buffer.from(chunk), (frame) => {
      for (const part of this.#rewritten(frame)) this.#handler.onData(part)
    })
  }

  onDrain(): void {
    this.#handler.onDrain()
  }

  onClose(error: Error | null): void {
    this.#handler.onClose(error)
  }

  #rewritten(frame: Buffer): readonly Buffer[] {
    const reader = new Reader(frame)
    const correlationId = decodeCorrelationId(reader)
    const request = this.#pending.get(correlationId)
    this.#pending.delete(correlationId)
    const found = request === undefined ? undefined : this.#rewrites.get(request.apiKey)
    if (found === undefined) {
      const length = Buffer.alloc(4)
      length.writeInt32BE(frame.length)
      return [length, frame]
    }
    const response = decodeResponseBody(found.api, request!.version, reader)
    return encodeResponseFrame(found.api, request!.version, correlationId, found.apply(response))
  }
}
