import type { ConsumerGroup } from './consumer-group.ts'
import { regexOf, type ConsumerMember } from './consumer-member.ts'
import { groupHash, topicHash, type HashedTopic } from './metadata-hash.ts'

/** What consumer groups ask about topics. */
export interface TopicsView {
  byName(name: string): HashedTopic | undefined
  byId(id: string): HashedTopic | undefined
  all(): Iterable<HashedTopic>
}

/** The topics as the groups see them: which there are, and what has changed since they last looked. */
export class TopicMetadata {
  readonly topics: TopicsView
  readonly #version: () => number
  readonly #hashes = new Map<string, bigint>()
  /** The version of the metadata in which a topic was last created; regular expressions of before may match it. */
  lastCreation: number

  /** @param version goes up with every change of the metadata */
  constructor(topics: TopicsView, version: () => number) {
    this.topics = topics
    this.#version = version
    this.lastCreation = version()
  }

  get version(): number {
    return this.#version()
  }

  /** To be called for a topic that is new, is gone or has more partitions. */
  changed(name: string, isNew: boolean): void {
    this.#hashes.delete(name)
    if (isNew) this.lastCreation = this.version
  }

  hashFor(group: ConsumerGroup): bigint {
    const hashes = new Map<string, bigint>()
    for (const name of group.subscriptions.keys()) {
      const hash = this.#hashOf(name)
      if (hash !== undefined) hashes.set(name, hash)
    }
    return groupHash(hashes)
  }

  /** Names that the member subscribes to, itself or by its regular expression. One that is not looked up yet matches nothing. */
  subscribedNames(group: ConsumerGroup, member: ConsumerMember): ReadonlySet<string> {
    const regex = regexOf(member)
    const matched = regex === null ? undefined : group.regexes.get(regex)?.topics
    if (matched === undefined || matched.size === 0) return member.topicNames
    return member.topicNames.size === 0 ? matched : new Set([...member.topicNames, ...matched])
  }

  /** The same as ids, of topics that exist. */
  subscribedIds(group: ConsumerGroup, member: ConsumerMember): ReadonlySet<string> {
    const ids = new Set<string>()
    for (const name of this.subscribedNames(group, member)) {
      const topic = this.topics.byName(name)
      if (topic !== undefined) ids.add(topic.id)
    }
    return ids
  }

  #hashOf(name: string): bigint | undefined {
    const known = this.#hashes.get(name)
    if (known !== undefined) return known
    const topic = this.topics.byName(name)
    if (topic === undefined) return undefined
    const hash = topicHash(topic)
    this.#hashes.set(name, hash)
    return hash
  }
}
