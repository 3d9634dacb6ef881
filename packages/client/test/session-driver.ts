import { apiVersionsApi, type ApiVersionsResponse } from '@millrace/protocol/apis/api-versions'
import { describeClusterApi } from '@millrace/protocol/apis/describe-cluster'
import { heartbeatApi } from '@millrace/protocol/apis/heartbeat'
import { produceApi } from '@millrace/protocol/apis/produce'
import { decodeRequestHeader, encodeResponseFrame, FrameSplitter, Reader, type RequestHeader } from '@millrace/protocol/internal'
import type { KafkaError } from '@millrace/protocol'
import type { Authenticator } from '../src/core/authenticator.ts'
import { ClientSession } from '../src/core/client-session.ts'
import { sessionRequest, type SessionRequest } from '../src/core/session-request.ts'

export type Outcome =
  | { readonly name: string; readonly response: unknown }
  | { readonly name: string; readonly error: KafkaError }

export const REQUEST_TIMEOUT_MS = 1_000

/** What a broker says of itself; `reads` is the highest version of Heartbeat. */
export function apiVersionsResponse(overrides: Partial<ApiVersionsResponse> = {}): ApiVersionsResponse {
  const apis = [apiVersionsApi, heartbeatApi, produceApi, describeClusterApi]
  return {
    errorCode: 0,
    apiKeys: apis.map(({ key, minVersion, maxStableVersion }) => ({ apiKey: key, minVersion, maxVersion: maxStableVersion })),
    throttleTimeMs: 0,
    supportedFeatures: [],
    finalizedFeaturesEpoch: 4n,
    finalizedFeatures: [{ name: 'transaction.version', minVersionLevel: 0, maxVersionLevel: 2 }],
    zkMigrationReady: false,
    ...overrides,
  }
}

/** A session with its effects carried out into lists: frames written, requests settled, and the end. */
export class SessionDriver {
  readonly session: ClientSession<string>
  readonly frames: { readonly header: RequestHeader; readonly frame: Buffer }[] = []
  readonly outcomes: Outcome[] = []
  closedWith: KafkaError | null | undefined = undefined
  readyCount = 0
  now = 0
  readonly #splitter = new FrameSplitter(1 << 20)

  constructor(options: { maxInFlight?: number; authenticator?: Authenticator } = {}) {
    this.session = new ClientSession<string>({
      endpoint: { host: 'broker', port: 9092 },
      clientId: 'test',
      softwareVersion: '1',
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      maxInFlight: options.maxInFlight ?? 5,
      authenticator: options.authenticator ?? null,
    })
  }

  connect(): this {
    this.session.connected(this.now)
    return this.perform()
  }

  /** Connects and negotiates. */
  ready(): this {
    this.connect()
    return this.answerApiVersions()
  }

  answerApiVersions(response: ApiVersionsResponse = apiVersionsResponse()): this {
    const { header } = this.frames.at(-1)!
    return this.receive(...encodeResponseFrame(apiVersionsApi, header.apiVersion, header.correlationId, response))
  }

  heartbeat(name: string, timeoutMs: number = REQUEST_TIMEOUT_MS): SessionRequest<string> {
    const body = { groupId: 'g', generationId: 1, memberId: name, groupInstanceId: null }
    const request = sessionRequest(heartbeatApi, body, { deadline: this.now + timeoutMs, timeoutMs }, name)
    return this.submit(request)
  }

  submit(request: SessionRequest<string>): SessionRequest<string> {
    this.session.submit(request, this.now)
    this.perform()
    return request
  }

  heartbeatAnswer(correlationId: number, errorCode = 0, throttleTimeMs = 0): Buffer {
    return Buffer.concat(
      encodeResponseFrame(heartbeatApi, heartbeatApi.maxStableVersion, correlationId, { throttleTimeMs, errorCode }),
    )
  }

  receive(...chunks: Buffer[]): this {
    for (const chunk of chunks) {
      this.session.received(chunk, this.now)
      this.perform()
    }
    return this
  }

  advance(ms: number): this {
    this.now += ms
    this.session.tick(this.now)
    return this.perform()
  }

  /** Names of the requests on the wire, by API. */
  get written(): string[] {
    return this.frames.map(({ header }) => String(header.apiKey))
  }

  get settled(): string[] {
    return this.outcomes.map((outcome) => ('error' in outcome ? `${outcome.name}: ${outcome.error.code}` : `${outcome.name}: ok`))
  }

  perform(): this {
    for (let effects = this.session.drain(); effects.length > 0; effects = this.session.drain()) {
      for (const effect of effects) {
        if (this.closedWith !== undefined) throw new Error(`an effect after the end: ${effect.type}`)
        if (effect.type === 'write')
          for (const chunk of effect.chunks) this.#splitter.push(chunk, (frame) => this.#written(frame))
        else if (effect.type === 'ready') this.readyCount++
        else if (effect.type === 'response') this.outcomes.push({ name: effect.request.owner, response: effect.response })
        else if (effect.type === 'failure') this.outcomes.push({ name: effect.request.owner, error: effect.error })
        else this.closedWith = effect.error
      }
    }
    return this
  }

  #written(frame: Buffer): void {
    this.frames.push({ header: decodeRequestHeader(new Reader(frame)), frame })
  }
}
