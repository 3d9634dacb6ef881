import { ErrorCode, errorFor, KafkaError } from '@millrace/protocol'
import {
  findCoordinatorApi,
  type FindCoordinatorRequest,
  type FindCoordinatorResponse,
} from '@millrace/protocol/apis/find-coordinator'
import type { ClusterClient } from './cluster-client.ts'
import type { ConnectionPool } from './connection-pool.ts'
import { COORDINATOR_KEY_TYPE, CoordinatorCache, type CoordinatorType } from './core/coordinator-cache.ts'
import type { MetadataCache } from './core/metadata-cache.ts'
import { errorAbout } from './errors.ts'

/** KIP-699: from this version on one request may ask for many keys, and the answer is a list. */
const FIRST_BATCHED_VERSION = 4

/** Finds coordinators, one lookup at a time for each key however many ask, and remembers them. */
export class CoordinatorLookup {
  readonly #client: ClusterClient
  readonly #metadata: MetadataCache
  readonly #pool: ConnectionPool
  readonly #cache = new CoordinatorCache()
  readonly #running = new Map<string, Promise<number>>()
  readonly #failures = new Map<string, KafkaError>()

  constructor(client: ClusterClient, metadata: MetadataCache, pool: ConnectionPool) {
    this.#client = client
    this.#metadata = metadata
    this.#pool = pool
  }

  /** Undefined if it is not known, or its node is not in the cluster any more. */
  get(type: CoordinatorType, key: string): number | undefined {
    const node = this.#cache.get(type, key)
    return node !== undefined && this.#metadata.nodes.has(node) ? node : undefined
  }

  invalidate(type: CoordinatorType, key: string, node: number): void {
    this.#cache.invalidate(type, key, node)
  }

  /** Why the lookup that is under way has not ended yet. */
  failure(type: CoordinatorType, key: string): KafkaError | undefined {
    return this.#failures.get(`${type}:${key}`)
  }

  find(type: CoordinatorType, key: string): Promise<number> {
    const id = `${type}:${key}`
    const running = this.#running.get(id)
    if (running !== undefined) return running
    const lookup = this.#lookup(type, key, id).finally(() => {
      this.#running.delete(id)
      this.#failures.delete(id)
    })
    // Whoever asked may have stopped waiting.
    lookup.catch(() => {})
    this.#running.set(id, lookup)
    return lookup
  }

  async #lookup(type: CoordinatorType, key: string, id: string): Promise<number> {
    const response = await this.#client.send(findCoordinatorApi, (version) => findCoordinatorRequest(type, key, version), 'any', {
      errorOf: (answer) => {
        const { errorCode } = coordinatorIn(answer, key)
        if (errorCode !== ErrorCode.NONE) this.#failures.set(id, errorFor(errorCode))
        return errorCode
      },
    })
    const coordinator = coordinatorIn(response, key)
    if (coordinator.errorCode !== ErrorCode.NONE) {
      throw errorAbout(coordinator.errorCode, `coordinator of ${type} ${key}`, coordinator.errorMessage)
    }
    const { nodeId, host, port } = coordinator
    if (!this.#metadata.nodes.has(nodeId)) this.#metadata.learnNode({ id: nodeId, host, port, rack: null })
    this.#pool.setEndpoint(nodeId, this.#metadata.nodes.get(nodeId)!)
    this.#cache.set(type, key, nodeId)
    return nodeId
  }
}

interface FoundCoordinator {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly errorCode: number
  readonly errorMessage: string | null
}

function findCoordinatorRequest(type: CoordinatorType, key: string, version: number): FindCoordinatorRequest {
  const keyType = COORDINATOR_KEY_TYPE[type]
  return version >= FIRST_BATCHED_VERSION ? { key: '', keyType, coordinatorKeys: [key] } : { key, keyType, coordinatorKeys: [] }
}

/** An answer in the batched form has a list; the older one has the coordinator at its top. */
function coordinatorIn(response: FindCoordinatorResponse, key: string): FoundCoordinator {
  if (response.coordinators.length === 0) return response
  const found = response.coordinators.find((coordinator) => coordinator.key === key)
  if (found === undefined) throw new KafkaError('UNKNOWN_SERVER_ERROR', `the broker named no coordinator of ${key}`)
  return found
}
