import type { Api } from '@millrace/protocol'
import type { ClusterClient, RequestBody } from '@millrace/client/internal'

/** Told of each request that the coordinator answered, for the metrics. */
export interface GroupObserver {
  /** @param api Kafka's name of it */
  answered(api: string, latencyMs: number): void
}

/** Sends a group's requests to its coordinator, once each: what to do about a failure is the member's to decide. */
export class CoordinatorLink {
  readonly #groupId: string
  readonly #cluster: ClusterClient
  readonly #observer: GroupObserver
  #coordinator = -1

  constructor(groupId: string, cluster: ClusterClient, observer: GroupObserver) {
    this.#groupId = groupId
    this.#cluster = cluster
    this.#observer = observer
  }

  async request<Request, Response>(
    api: Api<Request, Response>,
    body: RequestBody<Request>,
    timeoutMs: number | undefined,
    role: string,
  ): Promise<Response> {
    this.#coordinator = await this.#cluster.coordinatorFor('group', this.#groupId, { timeoutMs })
    const { clock } = this.#cluster.environment
    const sentAt = clock.now()
    const response = await this.#cluster.request(this.#coordinator, api, body, { role, timeoutMs })
    this.#observer.answered(api.name, clock.now() - sentAt)
    return response
  }

  /** Whoever was asked is not the coordinator, or cannot be reached: it is looked up again. */
  lost(): void {
    this.#cluster.invalidateCoordinator('group', this.#groupId, this.#coordinator)
  }
}
