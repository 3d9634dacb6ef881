import { errorFor, ErrorCode, type KafkaError } from '@millrace/protocol'
import type { ClusterClient } from '@millrace/client/internal'
import { metadataApi, type MetadataRequest } from '@millrace/protocol/apis/metadata'
import { compareStrings, type TopicLayout } from '../assignors/assignor.ts'
import { MISSING_TOPIC_REFRESH_MS } from '../limits.ts'
import type { TopicSelection } from './membership.ts'

const ALL_TOPICS: MetadataRequest = {
  topics: null,
  allowAutoTopicCreation: false,
  includeClusterAuthorizedOperations: false,
  includeTopicAuthorizedOperations: false,
}

export interface SubscribedTopicsListener {
  /** The names, or what is known of them, are others. */
  topicsChanged(): void
  /** A topic that is subscribed to by name cannot be had, and not because it does not exist. Said once until that changes. */
  topicRefused(topic: string, error: KafkaError): void
}

/** Which topics a selection means at present: names that match a pattern are looked for, and names that do not exist yet. */
export class SubscribedTopics {
  readonly #cluster: ClusterClient
  readonly #listener: SubscribedTopicsListener
  readonly #refused = new Map<string, number>()
  #selection: TopicSelection
  #names: readonly string[]
  #isStarted = false
  /** Ends the search that is under way; null when there is none. */
  #searching: AbortController | null = null

  constructor(cluster: ClusterClient, selection: TopicSelection, listener: SubscribedTopicsListener) {
    this.#cluster = cluster
    this.#listener = listener
    this.#selection = selection
    this.#names = 'topics' in selection ? selection.topics : []
  }

  get selection(): TopicSelection {
    return this.#selection
  }

  /** In order. */
  get names(): readonly string[] {
    return this.#names
  }

  /** How many partitions each of these topics has, and where; a topic that is not known to exist is left out. */
  layoutsOf(topics: Iterable<string>): Map<string, TopicLayout> {
    const layouts = new Map<string, TopicLayout>()
    for (const topic of topics) {
      const partitions = this.#cluster.partitionsFor(topic)
      if (partitions.length === 0) continue
      const replicaRacks = partitions.map(({ replicas }) => replicas.flatMap((node) => this.#cluster.nodes.get(node)?.rack ?? []))
      layouts.set(topic, { partitionCount: partitions.length, replicaRacks })
    }
    return layouts
  }

  start(): void {
    this.#isStarted = true
    this.look()
  }

  stop(): void {
    this.#isStarted = false
    this.#searching?.abort()
    this.#searching = null
  }

  select(selection: TopicSelection): void {
    const wasStarted = this.#isStarted
    this.stop()
    this.#selection = selection
    this.#names = 'topics' in selection ? selection.topics : []
    this.#refused.clear()
    if (wasStarted) this.start()
  }

  /** Looks for what is missing, unless it does so already. */
  look(): void {
    if (!this.#isStarted || this.#searching !== null) return
    const search = new AbortController()
    this.#searching = search
    const over = (): void => {
      if (this.#searching === search) this.#searching = null
    }
    this.#search(search.signal).then(over, over)
  }

  /** Ends when there is nothing to look for; by an error when it is aborted or the client closes. */
  async #search(signal: AbortSignal): Promise<void> {
    const selection = this.#selection
    while (!signal.aborted) {
      if ('pattern' in selection) await this.#list(selection.pattern, signal).catch(noop)
      else await this.#refresh(signal).catch(noop)
      const isComplete = this.#missing().length === 0
      if (isComplete && 'topics' in selection) return
      await this.#cluster.sleep(isComplete ? this.#cluster.config.metadataMaxAgeMs : MISSING_TOPIC_REFRESH_MS, signal)
    }
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const missing = this.#missing()
    if (missing.length === 0) return
    await this.#cluster.refreshMetadata(missing, { signal })
    for (const topic of missing) this.#noteError(topic)
  }

  #missing(): string[] {
    // A pattern that matches nothing is missing something, too.
    if (this.#names.length === 0) return ['']
    return this.#names.filter((topic) => this.#cluster.partitionsFor(topic).length === 0)
  }

  #noteError(topic: string): void {
    const code = this.#cluster.topicError(topic)
    const isRefusal = code !== ErrorCode.NONE && !errorFor(code).retriable
    if (!isRefusal) return void this.#refused.delete(topic)
    if (this.#refused.get(topic) === code) return
    this.#refused.set(topic, code)
    this.#listener.topicRefused(topic, errorFor(code, `topic ${topic}, which is subscribed to`))
  }

  /** Java's consumer does not match internal topics either (`exclude.internal.topics`). */
  async #list(pattern: RegExp, signal: AbortSignal): Promise<void> {
    const { topics } = await this.#cluster.send(metadataApi, ALL_TOPICS, 'any', { signal })
    const names: string[] = []
    for (const { errorCode, isInternal, name } of topics) {
      if (errorCode === ErrorCode.NONE && !isInternal && name !== null && matches(pattern, name)) names.push(name)
    }
    names.sort(compareStrings)
    if (names.join() === this.#names.join()) return
    if (names.length > 0) await this.#cluster.refreshMetadata(names, { signal })
    this.#names = names
    this.#listener.topicsChanged()
  }
}

/** Whatever the flags `g` and `y` make of repeated tests. */
export function matches(pattern: RegExp, name: string): boolean {
  pattern.lastIndex = 0
  return pattern.test(name)
}

function noop(): void {}
