import { SeededRandom, SimClock } from '@millrace/testkit'
import type { AnyApi, Api } from '@millrace/protocol'
import { apiVersionsApi, type ApiVersionsResponse } from '@millrace/protocol/apis/api-versions'
import { findCoordinatorApi } from '@millrace/protocol/apis/find-coordinator'
import { metadataApi, type MetadataResponse, type MetadataResponseTopic } from '@millrace/protocol/apis/metadata'
import {
  decodeRequestBody,
  decodeRequestHeader,
  encodeResponseFrame,
  FrameSplitter,
  Reader,
  type RequestHeader,
} from '@millrace/protocol/internal'
import type { Endpoint, Environment, Transport, TransportHandler } from '../src/environment.ts'

/** What a peer does with a request: a response, bytes of its choice, nothing at all, or the end of the connection. */
export type Reply<Response> = Response | { readonly raw: Buffer } | 'silence' | 'close'

type Handler = (request: unknown, header: RequestHeader, link: Link) => unknown

/** One connection as the peer sees it. */
export class Link {
  readonly endpoint: Endpoint
  readonly #network: ScriptedNetwork
  readonly #handler: TransportHandler
  isOpen = true
  onData: (chunk: Buffer) => void = () => {}

  constructor(network: ScriptedNetwork, endpoint: Endpoint, handler: TransportHandler) {
    this.#network = network
    this.endpoint = endpoint
    this.#handler = handler
  }

  /** Bytes to the client, `latencyMs` later. */
  send(chunk: Buffer): void {
    this.#network.clock.after(this.#network.latencyMs, () => {
      if (this.isOpen) this.#handler.onData(chunk)
    })
  }

  /** The end of the connection, behind everything sent before. */
  close(error: Error | null = null): void {
    this.#network.clock.after(this.#network.latencyMs, () => {
      if (!this.isOpen) return
      this.isOpen = false
      this.#handler.onClose(error)
    })
  }
}

/** A network in simulated time. What listens at an address is a function that is given each new connection. */
export class ScriptedNetwork implements Environment {
  readonly clock = new SimClock()
  readonly #random: SeededRandom
  readonly #listeners = new Map<string, (link: Link) => void>()
  readonly links: Link[] = []
  /** Every attempt to connect, as `host:port`. */
  readonly attempts: string[] = []
  latencyMs = 1

  constructor(seed = 1) {
    this.#random = new SeededRandom(seed)
  }

  random(): number {
    return this.#random.next()
  }

  listen(host: string, port: number, accept: (link: Link) => void): void {
    this.#listeners.set(`${host}:${port}`, accept)
  }

  /** Connections are refused from now on, and those that are there end. */
  kill(host: string, port: number): void {
    this.#listeners.delete(`${host}:${port}`)
    for (const link of this.links)
      if (link.endpoint.host === host && link.endpoint.port === port) link.close(new Error('read ECONNRESET'))
  }

  openLinks(): Link[] {
    return this.links.filter(({ isOpen }) => isOpen)
  }

  connect(endpoint: Endpoint, handler: TransportHandler): Transport {
    this.attempts.push(`${endpoint.host}:${endpoint.port}`)
    const link = new Link(this, endpoint, handler)
    this.clock.after(this.latencyMs, () => {
      const accept = this.#listeners.get(`${endpoint.host}:${endpoint.port}`)
      if (!link.isOpen) return
      if (accept === undefined) {
        link.isOpen = false
        return handler.onClose(new Error(`connect ECONNREFUSED ${endpoint.host}:${endpoint.port}`))
      }
      this.links.push(link)
      accept(link)
      handler.onConnect()
    })
    return {
      write: (chunks) => {
        const bytes = Buffer.concat(chunks)
        this.clock.after(this.latencyMs, () => {
          if (link.isOpen) link.onData(bytes)
        })
        return true
      },
      destroy: () => {
        link.isOpen = false
      },
    }
  }
}

/** A broker that answers by script, in real frames. It knows ApiVersions, Metadata and FindCoordinator by itself. */
export class ScriptedBroker {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly network: ScriptedNetwork
  readonly #handlers = new Map<number, { api: AnyApi; handle: Handler }>()
  /** Every request received: `Metadata`, `FindCoordinator`, … */
  readonly received: string[] = []
  apiVersionsMax = 4
  features: ApiVersionsResponse['finalizedFeatures'] = []

  constructor(network: ScriptedNetwork, id: number, host = `broker${id}`, port = 9092) {
    this.network = network
    this.id = id
    this.host = host
    this.port = port
    this.on(apiVersionsApi, () => this.#apiVersions())
    this.start()
  }

  start(): void {
    this.network.listen(this.host, this.port, (link) => this.#accept(link))
  }

  /** Also answers at another address. */
  startAt(host: string, port: number): void {
    this.network.listen(host, port, (link) => this.#accept(link))
  }

  stop(): void {
    this.network.kill(this.host, this.port)
  }

  on<Request, Response>(
    api: Api<Request, Response>,
    handle: (request: Request, header: RequestHeader, link: Link) => Reply<Response>,
  ): this {
    this.#handlers.set(api.key, { api, handle: handle as Handler })
    return this
  }

  countOf(apiName: string): number {
    return this.received.filter((name) => name === apiName).length
  }

  #accept(link: Link): void {
    const splitter = new FrameSplitter(1 << 20)
    link.onData = (chunk) => splitter.push(chunk, (frame) => this.#frame(frame, link))
  }

  #frame(frame: Buffer, link: Link): void {
    const reader = new Reader(frame)
    const header = decodeRequestHeader(reader)
    const handler = this.#handlers.get(header.apiKey)
    if (handler === undefined) throw new Error(`no script for API ${header.apiKey}`)
    this.received.push(handler.api.name)
    if (header.apiKey === apiVersionsApi.key && header.apiVersion > this.apiVersionsMax) {
      const refusal = { ...this.#apiVersions(), errorCode: 35 }
      return link.send(Buffer.concat(encodeResponseFrame(apiVersionsApi, 0, header.correlationId, refusal)))
    }
    const request: unknown = decodeRequestBody(handler.api, header.apiVersion, reader)
    const reply = handler.handle(request, header, link)
    if (reply === 'silence') return
    if (reply === 'close') return link.close()
    if (isRaw(reply)) return link.send(reply.raw)
    link.send(Buffer.concat(encodeResponseFrame(handler.api, header.apiVersion, header.correlationId, reply)))
  }

  #apiVersions(): ApiVersionsResponse {
    const apiKeys = [...this.#handlers.values()].map(({ api }) => ({
      apiKey: api.key,
      minVersion: api.minVersion,
      maxVersion: api.key === apiVersionsApi.key ? this.apiVersionsMax : api.maxStableVersion,
    }))
    return {
      errorCode: 0,
      apiKeys,
      throttleTimeMs: 0,
      supportedFeatures: [],
      finalizedFeaturesEpoch: this.features.length > 0 ? 1n : -1n,
      finalizedFeatures: this.features,
      zkMigrationReady: false,
    }
  }
}

function isRaw(reply: unknown): reply is { raw: Buffer } {
  return typeof reply === 'object' && reply !== null && 'raw' in reply
}

export interface ScriptedTopic {
  readonly name: string
  readonly id?: string
  /** Leader and epoch of each partition. */
  readonly leaders: readonly (readonly [leader: number, epoch: number])[]
}

/** Brokers that agree with each other about metadata, as far as `topics` and `controllerId` say. */
export class ScriptedCluster {
  readonly network: ScriptedNetwork
  readonly brokers: ScriptedBroker[]
  topics: ScriptedTopic[] = []
  controllerId: number
  /** By group id; a group that is not here is coordinated by the first broker. */
  readonly coordinators = new Map<string, number>()

  constructor(ids: readonly number[], network: ScriptedNetwork = new ScriptedNetwork()) {
    this.network = network
    this.controllerId = ids[0]!
    this.brokers = ids.map((id) => new ScriptedBroker(network, id))
    for (const broker of this.brokers) {
      broker.on(metadataApi, (request) => this.metadata(request.topics?.map(({ name }) => name ?? '') ?? null))
      broker.on(findCoordinatorApi, (request) => {
        const keys = request.coordinatorKeys
        const coordinators = keys.map((key) => {
          const nodeId = this.coordinators.get(key) ?? ids[0]!
          const { host, port } = this.broker(nodeId)
          return { key, nodeId, host, port, errorCode: 0, errorMessage: null }
        })
        return { throttleTimeMs: 0, errorCode: 0, errorMessage: '', nodeId: 0, host: '', port: 0, coordinators }
      })
    }
  }

  get bootstrapServers(): string[] {
    return this.brokers.map(({ host, port }) => `${host}:${port}`)
  }

  broker(id: number): ScriptedBroker {
    return this.brokers.find((broker) => broker.id === id)!
  }

  /** Requests of one API over all brokers. */
  countOf(apiName: string): number {
    return this.brokers.reduce((sum, broker) => sum + broker.countOf(apiName), 0)
  }

  metadata(names: readonly string[] | null): MetadataResponse {
    const wanted = names ?? this.topics.map(({ name }) => name)
    return {
      throttleTimeMs: 0,
      brokers: this.brokers.map(({ id, host, port }) => ({ nodeId: id, host, port, rack: null })),
      clusterId: 'scripted',
      controllerId: this.controllerId,
      topics: wanted.map((name) => this.#topic(name)),
      clusterAuthorizedOperations: -2147483648,
      errorCode: 0,
    }
  }

  #topic(name: string): MetadataResponseTopic {
    const topic = this.topics.find((known) => known.name === name)
    const topicId = topic?.id ?? (topic === undefined ? 'AAAAAAAAAAAAAAAAAAAAAA' : 'AAAAAAAAAAAAAAAAAAAAAQ')
    const partitions = (topic?.leaders ?? []).map(([leaderId, leaderEpoch], partitionIndex) => ({
      errorCode: leaderId < 0 ? 5 : 0,
      partitionIndex,
      leaderId,
      leaderEpoch,
      replicaNodes: [leaderId],
      isrNodes: [leaderId],
      offlineReplicas: [],
    }))
    return {
      errorCode: topic === undefined ? 3 : 0,
      name,
      topicId,
      isInternal: false,
      partitions,
      topicAuthorizedOperations: -2147483648,
    }
  }
}
