import { ErrorCode } from '@millrace/protocol'
import { sameAssignment, type TopicPartitions } from './assignment.ts'
import { ASSIGNORS, inJavaOrder, type AssignorMember } from './assignor.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { isReconciledTo, sameMetadata, sameNames, sameProgress, type ConsumerMember } from './consumer-member.ts'
import type { GroupChange } from './group-change.ts'
import { GroupError } from './group-error.ts'
import type { GroupServices } from './group-services.ts'
import { MUST_REJOIN, reconcile } from './reconciliation.ts'
import type { RegexRefresh } from './regex-refresh.ts'

/** What a member's heartbeat, or JoinGroup, does to its group, step by step (GroupMetadataManager.consumerGroupHeartbeat). */
export class GroupSteps {
  readonly #services: GroupServices
  readonly #regexes: RegexRefresh

  constructor(services: GroupServices, regexes: RegexRefresh) {
    this.#services = services
    this.#regexes = regexes
  }

  /**
   * Takes in what the member says about itself, and begins a new epoch of the group if that, or the topics, call for one.
   * @returns whether the member's subscription changed
   */
  updateMember(change: GroupChange, member: ConsumerMember, updated: ConsumerMember, now: number): boolean {
    if (!sameMetadata(member, updated)) change.add({ type: 'member', group: change.id, member: updated.id, value: updated })
    const namesChanged = !sameNames(member.topicNames, updated.topicNames)
    const regex = this.#regexes.update(change, member, updated, now)
    // A new regular expression without known topics would only mean another new epoch soon. Members of the classic protocol have none.
    const bump = namesChanged || regex === 'resolved' || (regex === 'updated' && updated.classic !== null)
    if (bump || change.group.metadataIsStale) this.#refreshMetadata(change, bump)
    return namesChanged || regex !== 'unchanged'
  }

  /** Computes the targets for the group's epoch if they are of an older one and it is time to. */
  updateTargets(change: GroupChange, memberId: string, now: number): void {
    const { group } = change
    if (group.assignmentEpoch >= group.epoch) return
    const interval = this.#services.groupConfig(group.id).assignmentIntervalMs
    if (group.assignedAt !== 0 && interval !== 0 && now < group.assignedAt + interval) return
    const { consumerGroupAssignors } = this.#services.config
    const preferred = group.preferredAssignor
    const name = preferred !== null && consumerGroupAssignors.includes(preferred) ? preferred : consumerGroupAssignors[0]!
    const joining = change.base?.members.has(memberId) ? null : memberId
    const all = [...group.members.values()].map((member) => this.#asAssignorMember(group, member))
    const members = inJavaOrder(all, joining, change.base?.mostMembers ?? all.length)
    const result = ASSIGNORS.get(name)!({
      members,
      isHomogeneous: group.isHomogeneous,
      partitionCount: (topicId) => this.#services.metadata.topics.byId(topicId)!.partitions.length,
    })
    for (const { id } of members) {
      const value = result.get(id) ?? new Map<string, Set<number>>()
      const former = group.targets.get(id)
      if (former === undefined || !sameAssignment(former, value))
        change.add({ type: 'target', group: change.id, member: id, value })
    }
    change.add({ type: 'target-epoch', group: change.id, value: { epoch: group.epoch, computedAt: now } })
  }

  /** Moves the member a step towards its target; gives back the member as it is then. Throws GroupError. */
  reconcile(
    change: GroupChange,
    member: ConsumerMember,
    subscriptionChanged: boolean,
    owned: readonly TopicPartitions[] | null,
  ): ConsumerMember {
    const { group } = change
    if (!subscriptionChanged && isReconciledTo(member, group.assignmentEpoch)) return member
    const { metadata } = this.#services
    const names = metadata.subscribedNames(group, member)
    const reconciled = reconcile({
      member,
      targetEpoch: group.assignmentEpoch,
      target: group.target(member.id),
      subscriptionChanged,
      isSubscribed: (topicId) => {
        const topic = metadata.topics.byId(topicId)
        return topic !== undefined && names.has(topic.name)
      },
      isOwned: (topicId, partition) => group.isOwned(topicId, partition),
      owned,
    })
    if (reconciled === MUST_REJOIN) {
      const message = 'The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.'
      throw new GroupError(ErrorCode.FENCED_MEMBER_EPOCH, message)
    }
    if (!sameProgress(member, reconciled)) {
      change.add({ type: 'progress', group: change.id, member: member.id, value: reconciled })
    }
    return reconciled
  }

  /** Takes members out, and begins a new epoch without them. */
  remove(change: GroupChange, members: readonly ConsumerMember[]): void {
    const group = change.id
    for (const { id: member } of members) {
      change.add({ type: 'progress', group, member, value: null })
      change.add({ type: 'target', group, member, value: null })
      change.add({ type: 'member', group, member, value: null })
    }
    for (const regex of change.group.regexes.keys()) {
      if (!change.group.subscribedRegexes.has(regex)) change.add({ type: 'regex', group, regex, value: null })
    }
    const metadataHash = this.#services.metadata.hashFor(change.group)
    change.add({ type: 'epoch', group, value: { epoch: change.group.epoch + 1, metadataHash } })
    change.afterwards(() => {
      for (const { id } of members) this.#services.timers.cancelAll(group, id)
    })
  }

  /** A static member comes back under a new id and takes over what the former one had. */
  replace(change: GroupChange, former: ConsumerMember, successor: ConsumerMember): void {
    const group = change.id
    const value = change.group.target(former.id)
    change.add({ type: 'progress', group, member: former.id, value: null })
    change.add({ type: 'target', group, member: former.id, value: null })
    change.add({ type: 'member', group, member: former.id, value: null })
    change.add({ type: 'member', group, member: successor.id, value: successor })
    change.add({ type: 'target', group, member: successor.id, value })
    change.add({ type: 'progress', group, member: successor.id, value: successor })
    change.afterwards(() => this.#services.timers.cancelAll(group, former.id))
  }

  #refreshMetadata(change: GroupChange, bump: boolean): void {
    const { group } = change
    const metadataHash = this.#services.metadata.hashFor(group)
    if (bump || metadataHash !== group.metadataHash) {
      change.add({ type: 'epoch', group: change.id, value: { epoch: group.epoch + 1, metadataHash } })
    }
    if (group.hasPartitionMetadata) change.add({ type: 'partition-metadata', group: change.id, value: null })
    change.group.metadataIsStale = false
  }

  #asAssignorMember(group: ConsumerGroup, member: ConsumerMember): AssignorMember {
    const topics = this.#services.metadata.subscribedIds(group, member)
    return { id: member.id, instanceId: member.instanceId, topics, current: group.target(member.id) }
  }
}
