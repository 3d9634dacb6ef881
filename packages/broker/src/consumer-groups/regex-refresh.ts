import { REGEX_REFRESH_MIN_MS } from '../limits.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { regexOf, sameNames, type ConsumerMember } from './consumer-member.ts'
import { GroupChange } from './group-change.ts'
import { GroupError } from './group-error.ts'
import type { GroupServices } from './group-services.ts'
import { compileTopicRegex } from './topic-regex.ts'

/** What became of a member's regular expression. 'resolved': its topics are known, so that partitions can be assigned anew. */
export type RegexUpdate = 'unchanged' | 'updated' | 'resolved'

/**
 * Looks up which topics the groups' regular expressions stand for: when a new one comes, when there are new topics, and now
 * and then. It is done after the request that asked for it, whose member hears of its partitions at its next heartbeat (Kafka
 * does it in a thread of its own: GroupMetadataManager.maybeUpdateRegularExpressions).
 */
export class RegexRefresh {
  readonly #services: GroupServices
  /** Groups whose expressions are being looked up. */
  readonly #scheduled = new Set<string>()

  constructor(services: GroupServices) {
    this.#services = services
  }

  /** To be called after the member's record is in the change. Throws GroupError for an expression that is not valid. */
  update(change: GroupChange, member: ConsumerMember, updated: ConsumerMember, now: number): RegexUpdate {
    const former = regexOf(member)
    const regex = regexOf(updated)
    const users = change.group.subscribedRegexes
    let isNew = false
    let status: RegexUpdate = 'unchanged'
    if (former !== regex) {
      status = 'updated'
      isNew = regex !== null && users.get(regex) === 1
      if (regex !== null && isNew) compileTopicRegex(regex)
      else if (regex === null || change.group.regexes.has(regex)) status = 'resolved'
      if (former !== null && !users.has(former)) change.add({ type: 'regex', group: change.id, regex: former, value: null })
    }
    if (users.size > 0 && this.#isDue(change, isNew, now)) {
      const regexes = [...users.keys()]
      change.afterwards(() => this.#schedule(change.id, regexes, now))
    }
    return status
  }

  #isDue(change: GroupChange, isNew: boolean, now: number): boolean {
    if (this.#scheduled.has(change.id)) return false
    const known = change.base?.regexes
    const [last] = known?.values() ?? []
    if (last !== undefined && now <= last.resolvedAt + REGEX_REFRESH_MIN_MS) return false
    const { metadata, config } = this.#services
    return (
      isNew ||
      last === undefined ||
      change.group.subscribedRegexes.size !== known?.size ||
      last.version < metadata.lastCreation ||
      now > last.resolvedAt + config.consumerGroupRegexRefreshIntervalMs
    )
  }

  #schedule(groupId: string, regexes: readonly string[], at: number): void {
    this.#scheduled.add(groupId)
    this.#services.deadlines.schedule(at, (now) => {
      this.#scheduled.delete(groupId)
      const group = this.#services.find(groupId)
      if (group?.type === 'consumer') this.#resolve(group, regexes, now)
    })
  }

  #resolve(group: ConsumerGroup, regexes: readonly string[], now: number): void {
    const { metadata } = this.#services
    const change = GroupChange.of(group)
    const { version } = metadata
    let isChanged = false
    for (const regex of regexes) {
      if (!group.subscribedRegexes.has(regex)) continue
      const topics = this.#matching(regex)
      isChanged ||= !sameNames(group.regexes.get(regex)?.topics ?? new Set(), topics)
      change.add({ type: 'regex', group: group.id, regex, value: { topics, version, resolvedAt: now } })
    }
    const metadataHash = metadata.hashFor(change.group)
    if (isChanged || metadataHash !== group.metadataHash) {
      change.add({ type: 'epoch', group: group.id, value: { epoch: group.epoch + 1, metadataHash } })
      change.group.metadataIsStale = false
    }
    try {
      this.#services.commit(change, now)
    } catch (error) {
      // The failure was made known where the group could not be stored; the next heartbeat asks again.
      if (!(error instanceof GroupError)) throw error
    }
  }

  #matching(regex: string): ReadonlySet<string> {
    const matches = compileTopicRegex(regex)
    const names = new Set<string>()
    for (const { name } of this.#services.metadata.topics.all()) if (matches(name)) names.add(name)
    return names
  }
}
