import type { Api, KafkaError } from '@millrace/protocol'
import { Connection, type RequestOptions } from './connection.ts'
import type { Authenticator } from './core/authenticator.ts'
import type { BrokerVersions } from './core/broker-versions.ts'
import { RetryPolicy } from './core/retry-policy.ts'
import { connectionClosed, connectionFailed } from './core/session-errors.ts'
import type { RequestBody } from './core/session-request.ts'
import type { Endpoint, Environment } from './environment.ts'
import { addressOf } from './errors.ts'
import type { ClientConfig } from './options.ts'

export const MAIN_ROLE = 'main'

interface PooledNode {
  endpoint: Endpoint
  failures: number
  /** No connection is tried before. */
  retryAt: number
  readonly connections: Map<string, Connection>
}

export interface PoolOptions {
  readonly config: ClientConfig
  readonly environment: Environment
  readonly softwareVersion: string
  /** Makes the step between negotiation and use for each connection; null: none. SASL will sit here. */
  readonly authenticator: () => Authenticator | null
  readonly onVersions: (versions: BrokerVersions) => void
}

/** The connections to each node, one per role, made when first needed and again after a backoff when they failed. */
export class ConnectionPool {
  readonly #options: PoolOptions
  readonly #reconnect: RetryPolicy
  readonly #setup: RetryPolicy
  readonly #nodes = new Map<number, PooledNode>()

  constructor(options: PoolOptions) {
    const { config } = options
    this.#options = options
    this.#reconnect = new RetryPolicy(config.reconnectBackoffMs, config.reconnectBackoffMaxMs)
    const setupMaxMs = Math.max(config.socketConnectionSetupTimeoutMs, config.socketConnectionSetupTimeoutMaxMs)
    this.#setup = new RetryPolicy(config.socketConnectionSetupTimeoutMs, setupMaxMs)
  }

  /** Where a node is. Connections to another address of it are closed. */
  setEndpoint(nodeId: number, endpoint: Endpoint): void {
    const node = this.#nodes.get(nodeId)
    if (node !== undefined && node.endpoint.host === endpoint.host && node.endpoint.port === endpoint.port) return
    if (node !== undefined) this.#drop(nodeId, `node ${nodeId} moved to ${addressOf(endpoint)}`)
    this.#nodes.set(nodeId, { endpoint, failures: 0, retryAt: 0, connections: new Map() })
  }

  has(nodeId: number): boolean {
    return this.#nodes.has(nodeId)
  }

  /** Lets go of the nodes that `isKept` does not name: of each connection as soon as nothing waits on it. */
  retain(isKept: (nodeId: number) => boolean): void {
    for (const nodeId of this.#nodes.keys()) if (!isKept(nodeId)) this.closeUnused(nodeId)
  }

  /** Closes the connections of a node that nothing waits on. */
  closeUnused(nodeId: number): void {
    const node = this.#nodes.get(nodeId)
    if (node === undefined) return
    for (const connection of node.connections.values()) {
      if (connection.pendingCount === 0) connection.close(connectionFailed(node.endpoint, 'no longer needed', undefined))
    }
    if (node.connections.size === 0) this.#nodes.delete(nodeId)
  }

  /** False while a failed connection to the node is not tried again yet. */
  isAvailable(nodeId: number): boolean {
    const node = this.#nodes.get(nodeId)
    return node !== undefined && node.retryAt <= this.#options.environment.clock.now()
  }

  isReady(nodeId: number, role: string): boolean {
    return this.#nodes.get(nodeId)?.connections.get(role)?.isReady ?? false
  }

  /** Requests that a node has not answered, over all its connections. */
  pendingCount(nodeId: number): number {
    let count = 0
    const node = this.#nodes.get(nodeId)
    if (node !== undefined) for (const connection of node.connections.values()) count += connection.pendingCount
    return count
  }

  request<Request, Response>(
    nodeId: number,
    api: Api<Request, Response>,
    body: RequestBody<Request>,
    options: RequestOptions,
  ): Promise<Response> {
    const node = this.#nodes.get(nodeId)
    if (node === undefined) throw new Error(`node ${nodeId} has no endpoint`)
    const role = options.role ?? MAIN_ROLE
    const connection = node.connections.get(role) ?? this.#open(nodeId, node, role)
    return connection.request(api, body, options)
  }

  close(error: KafkaError): void {
    for (const node of this.#nodes.values()) for (const connection of node.connections.values()) connection.close(error)
    this.#nodes.clear()
  }

  #drop(nodeId: number, reason: string): void {
    const node = this.#nodes.get(nodeId)!
    this.#nodes.delete(nodeId)
    for (const connection of node.connections.values()) connection.close(connectionClosed(node.endpoint, new Error(reason)))
  }

  #open(nodeId: number, node: PooledNode, role: string): Connection {
    const { config, environment, softwareVersion, authenticator, onVersions } = this.#options
    const connection: Connection = new Connection({
      endpoint: node.endpoint,
      nodeId,
      role,
      clientId: config.clientId,
      softwareVersion,
      requestTimeoutMs: config.requestTimeoutMs,
      maxInFlight: config.maxInFlightRequestsPerConnection,
      maxIdleMs: config.connectionsMaxIdleMs,
      setupTimeoutMs: Math.max(1, this.#setup.delayMs(node.failures, environment.random())),
      delayMs: Math.max(0, node.retryAt - environment.clock.now()),
      authenticator: authenticator(),
      environment,
      onReady: (versions) => {
        node.failures = 0
        node.retryAt = 0
        onVersions(versions)
      },
      onClosed: (error) => {
        if (node.connections.get(role) === connection) node.connections.delete(role)
        if (error !== null) this.#backOff(node)
      },
    })
    node.connections.set(role, connection)
    return connection
  }

  #backOff(node: PooledNode): void {
    const { environment } = this.#options
    node.retryAt = environment.clock.now() + this.#reconnect.delayMs(node.failures, environment.random())
    node.failures++
  }
}
