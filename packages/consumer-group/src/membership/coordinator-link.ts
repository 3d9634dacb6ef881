import type { Api } from '@millrace/protocol'
import type { ClusterClient, RequestBody } from '@millrace/client/internal'

/** Sends a group's requests to its coordinator, once each: what to do about a failure is the member's to decide. */
export class CoordinatorLink {
  readonly #groupId: string
  readonly #cluster: ClusterClient
  #coordinator = -1

  constructor(groupId: string, cluster: ClusterClient) {
    this.#groupId = groupId
    this.#cluster = cluster
  }

  async request<Request, Response>(
    api: Api<Request, Response>,
    body: RequestBody<Request>,
    timeoutMs: number | undefined,
    role: string,
  ): Promise<Response> {
    this.#coordinator = await this.#cluster.coordinatorFor('group', this.#groupId, { timeoutMs })
    return this.#cluster.request(this.#coordinator, api, body, { role, timeoutMs })
  }

  /** Whoever was asked is not the coordinator, or cannot be reached: it is looked up again. */
  lost(): void {
    this.#cluster.invalidateCoordinator('group', this.#groupId, this.#coordinator)
  }
}
