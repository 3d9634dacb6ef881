import { ErrorCode } from '@millrace/protocol'
import type { ClusterClient } from '@millrace/client/internal'
import { metadataApi, type MetadataRequest } from '@millrace/protocol/apis/metadata'
import { MISSING_TOPIC_REFRESH_MS } from '../limits.ts'

/** Finds the names of topics that are known by their ids only, as the coordinator names what it assigns. */
export class TopicNames {
  readonly #cluster: ClusterClient
  readonly #stopped = new AbortController()
  #isSearching = false

  constructor(cluster: ClusterClient) {
    this.#cluster = cluster
  }

  /** Asks until all are known. A topic that was just made, or just deleted, is unknown to brokers for a while. */
  resolve(unresolved: () => readonly string[], found: () => void): void {
    if (this.#isSearching) return
    this.#isSearching = true
    const over = (): void => void (this.#isSearching = false)
    this.#search(unresolved, found).then(over, over)
  }

  stop(): void {
    this.#stopped.abort()
  }

  /** Ends by an error when it is stopped or the client closes. */
  async #search(unresolved: () => readonly string[], found: () => void): Promise<void> {
    const { signal } = this.#stopped
    for (let ids = unresolved(); ids.length > 0 && !signal.aborted; ids = unresolved()) {
      const names = await this.#ask(ids, signal).catch(() => [])
      if (names.length > 0) {
        await this.#cluster.refreshMetadata(names, { signal })
        found()
      }
      if (unresolved().length > 0) await this.#cluster.sleep(MISSING_TOPIC_REFRESH_MS, signal)
    }
  }

  async #ask(ids: readonly string[], signal: AbortSignal): Promise<string[]> {
    const request: MetadataRequest = {
      topics: ids.map((topicId) => ({ topicId, name: null })),
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    }
    const response = await this.#cluster.send(metadataApi, request, 'any', { signal })
    return response.topics.flatMap(({ errorCode, name }) => (errorCode === ErrorCode.NONE && name !== null ? [name] : []))
  }
}
