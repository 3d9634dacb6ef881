import { ErrorCode } from '@millrace/protocol'
import { ClassicGroup } from '../coordinator/classic-group.ts'
import { ClassicMember } from '../coordinator/classic-member.ts'
import { CONSUMER_PROTOCOL_TYPE } from '../coordinator/consumer-protocol.ts'
import { groupRecord } from '../coordinator/offset-records.ts'
import { joinError, syncError } from '../coordinator/replies.ts'
import { inEpoch, type Assignment, type TopicPartitions } from './assignment.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { newMember, type ConsumerMember } from './consumer-member.ts'
import { HAS_USER_DATA, ownedOf, readAssignment, readSubscription, writeAssignment } from './embedded-protocol.ts'
import { GroupChange } from './group-change.ts'
import { GroupError } from './group-error.ts'
import type { GroupServices } from './group-services.ts'
import { HeldPartitions } from './held-partitions.ts'

/** Starts the session of a member. */
export type StartSession = (groupId: string, memberId: string, timeoutMs: number, now: number) => void

/**
 * How groups move between the protocols: an empty group belongs to whoever joins it, a classic one with members becomes a consumer group
 * when the first member of that protocol joins, and goes back when the last one left (`group.consumer.migration.policy`).
 */
export class Conversion {
  readonly #services: GroupServices
  readonly #startSession: StartSession

  constructor(services: GroupServices, startSession: StartSession) {
    this.#services = services
    this.#startSession = startSession
  }

  /** The consumer group of that id, or GroupError GROUP_ID_NOT_FOUND. */
  consumerGroup(groupId: string): ConsumerGroup {
    const group = this.#services.find(groupId)
    if (group === undefined) throw notFound(`Group ${groupId} not found.`)
    if (group.type !== 'consumer') throw notFound(`Group ${groupId} is not a consumer group.`)
    return group
  }

  /** A change to the consumer group of that id, which is made when a member joins it, from a classic one if there is one. Throws GroupError. */
  open(groupId: string, isJoining: boolean, now: number): GroupChange {
    const group = this.#services.find(groupId)
    if (!isJoining || group?.type === 'consumer') return GroupChange.of(this.consumerGroup(groupId))
    if (group === undefined) return GroupChange.toNew(groupId, null)
    return this.#upgrade(group, now)
  }

  /** Whether the group goes back to the classic protocol when these members leave. */
  mayDowngrade(group: ConsumerGroup, leaving: readonly ConsumerMember[]): boolean {
    const left = group.members.size - leaving.length
    const leftClassic = group.classicMembers - leaving.filter(({ classic }) => classic !== null).length
    return left > 0 && left === leftClassic && this.#allows('downgrade') && left <= this.#services.config.groupMaxSize
  }

  /** Whether it does when this static member is replaced by one of the classic protocol. */
  mayDowngradeBy(group: ConsumerGroup, replaced: ConsumerMember): boolean {
    const { size } = group.members
    const isLast = replaced.classic === null && group.classicMembers === size - 1
    return isLast && this.#allows('downgrade') && size <= this.#services.config.groupMaxSize
  }

  /**
   * @param leaving members that do not come along
   * @param rebalance whether its members must join again: what they have is not what they shall have
   */
  downgrade(change: GroupChange, leaving: readonly ConsumerMember[], rebalance: boolean, now: number): void {
    const { group } = change
    const { topics } = this.#services.metadata
    const gone = new Set(leaving.map(({ id }) => id))
    const members = [...group.members.values()].filter(({ id }) => !gone.has(id)).map(asClassicMember)
    const successor = new ClassicGroup(change.id, now)
    const protocol = protocolFor(change.id, members, now)
    for (const member of members) {
      member.assignment = writeAssignment(group.target(member.id), member.metadata(protocol), topics)
    }
    const leader = members[0]!.id
    const generation = group.epoch
    successor.restore({
      protocolType: CONSUMER_PROTOCOL_TYPE,
      generation,
      protocol,
      leader,
      stateTimestamp: now,
      members,
    })
    change.becomeClassic(successor, groupRecord(successor, new Map()))
    const former = [...(change.base ?? group).members.keys(), ...group.members.keys()]
    change.afterwards((at) => {
      for (const id of former) this.#services.timers.cancelAll(change.id, id)
      this.#services.downgraded(successor, rebalance, at)
    })
  }

  #upgrade(group: ClassicGroup, now: number): GroupChange {
    const change = GroupChange.toNew(group.id, group)
    if (group.state !== 'Empty') this.#takeOver(change, group, now)
    // Ids that were handed out and sessions end with the group that they were for.
    change.afterwards(() => group.retire())
    return change
  }

  #takeOver(change: GroupChange, group: ClassicGroup, now: number): void {
    const reason = (why: string): GroupError =>
      notFound(`Cannot upgrade classic group ${group.id} to consumer group because ${why}.`)
    if (!this.#allows('upgrade')) throw reason('online upgrade is disabled')
    if (!group.usesConsumerProtocol) throw reason('the group does not use the consumer embedded protocol')
    const { consumerGroupMaxSize } = this.#services.config
    if (group.members.size > consumerGroupMaxSize) throw reason('the group size exceeds the consumer group maximum size')
    const { id } = group
    const epoch = group.generation
    const protocol = group.protocol ?? group.selectProtocol()
    const converted = [...group.members.values()].map((member) => this.#asConsumerMember(member, protocol, epoch, reason))
    const held = new HeldPartitions()
    for (const { member } of converted) held.add(member.assigned)
    const taken = converted.map(({ member, target, owned }) => ({ member: givingBack(member, owned, held), target }))
    for (const { member } of taken) change.add({ type: 'member', group: id, member: member.id, value: member })
    const metadataHash = this.#services.metadata.hashFor(change.group)
    change.add({ type: 'epoch', group: id, value: { epoch, metadataHash } })
    for (const { member, target } of taken) change.add({ type: 'target', group: id, member: member.id, value: target })
    change.add({ type: 'target-epoch', group: id, value: { epoch, computedAt: 0 } })
    for (const { member } of taken) change.add({ type: 'progress', group: id, member: member.id, value: member })
    change.afterwards(() => {
      for (const member of group.members.values()) {
        group.completeJoin(member, joinError(ErrorCode.REBALANCE_IN_PROGRESS, member.id))
        group.completeSync(member, syncError(ErrorCode.REBALANCE_IN_PROGRESS))
      }
      for (const { member } of taken) this.#startSession(id, member.id, member.classic!.sessionTimeoutMs, now)
    })
  }

  /** Its assignment is what it had last. Those amid a rebalance are told to join again. */
  #asConsumerMember(
    member: ClassicMember,
    protocol: string,
    epoch: number,
    reason: (why: string) => GroupError,
  ): { member: ConsumerMember; target: Assignment; owned: readonly TopicPartitions[] } {
    const target = readAssignment(member.assignment, this.#services.metadata.topics)
    const subscription = readSubscription(member.metadata(protocol))
    if (target === null || subscription === null) throw reason('the embedded consumer protocol is malformed')
    if (target === HAS_USER_DATA) throw reason('an unsupported custom assignor is in use')
    const { instanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, protocols } = member
    const converted: ConsumerMember = {
      ...newMember(member.id),
      epoch,
      previousEpoch: epoch,
      instanceId,
      rackId: subscription.rackId === '' ? null : subscription.rackId,
      rebalanceTimeoutMs,
      clientId,
      clientHost,
      topicNames: new Set(subscription.topics),
      assigned: inEpoch(target, epoch),
      classic: { sessionTimeoutMs, protocols },
    }
    return { member: converted, target, owned: ownedOf(subscription, this.#services.metadata.topics) }
  }

  #allows(direction: 'upgrade' | 'downgrade'): boolean {
    const policy = this.#services.config.consumerGroupMigrationPolicy
    return policy === 'bidirectional' || policy === direction
  }
}

/**
 * Half way through a cooperative rebalance a member may still work on what it said to own and was not assigned again, until it joins without it. Kafka takes that for
 * free (ConsumerGroup.fromClassicGroup has all members stable), and it would have two owners.
 */
function givingBack(member: ConsumerMember, owned: readonly TopicPartitions[], held: HeldPartitions): ConsumerMember {
  const revoking = new Map<string, Map<number, number>>()
  for (const { topicId, partitions } of owned) {
    const left = partitions.filter((partition) => !held.has(topicId, partition))
    if (left.length > 0) revoking.set(topicId, new Map(left.map((partition) => [partition, member.epoch])))
  }
  if (revoking.size === 0) return member
  held.add(revoking)
  return { ...member, state: 'UNREVOKED_PARTITIONS', revoking }
}

function asClassicMember(member: ConsumerMember): ClassicMember {
  const { id, instanceId, clientId, clientHost, rebalanceTimeoutMs, classic } = member
  return new ClassicMember({ id, instanceId, clientId, clientHost, rebalanceTimeoutMs, ...classic! })
}

function protocolFor(groupId: string, members: readonly ClassicMember[], now: number): string {
  const voters = new ClassicGroup(groupId, now)
  for (const member of members) voters.add(member, null, CONSUMER_PROTOCOL_TYPE)
  return voters.selectProtocol()
}

function notFound(message: string): GroupError {
  return new GroupError(ErrorCode.GROUP_ID_NOT_FOUND, message)
}
