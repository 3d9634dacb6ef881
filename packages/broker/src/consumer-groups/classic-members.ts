import { ErrorCode } from '@millrace/protocol'
import type { HeartbeatRequest } from '@millrace/protocol/apis/heartbeat'
import type { JoinGroupRequest, JoinGroupResponse } from '@millrace/protocol/apis/join-group'
import type { LeaveGroupRequest, MemberResponse } from '@millrace/protocol/apis/leave-group'
import type { SyncGroupRequest, SyncGroupResponse } from '@millrace/protocol/apis/sync-group'
import { keepProtocols } from '../coordinator/classic-member.ts'
import { CONSUMER_PROTOCOL_TYPE } from '../coordinator/consumer-protocol.ts'
import { joinError, MEMBER_ID_REQUIRED_SINCE } from '../coordinator/replies.ts'
import { randomUuid } from '../metadata/uuid.ts'
import { withoutEpochs } from './assignment.ts'
import { checkRoom, knownInstance, knownMember } from './checks.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { newMember, type ClassicMetadata, type ConsumerMember } from './consumer-member.ts'
import type { ConsumerMembership } from './consumer-membership.ts'
import type { Conversion } from './conversion.ts'
import { ownedOf, readSubscription, writeAssignment } from './embedded-protocol.ts'
import { GroupChange } from './group-change.ts'
import { GroupError } from './group-error.ts'
import type { GroupServices, MemberCaller } from './group-services.ts'
import type { GroupSteps } from './group-steps.ts'

type WithClassic = ConsumerMember & { readonly classic: ClassicMetadata }

/**
 * Members of the classic protocol in a consumer group: what they ask by JoinGroup, SyncGroup, Heartbeat and LeaveGroup is done as KIP-848 has
 * it, and a rebalance is what makes them come and fetch what they were assigned (GroupMetadataManager.classicGroup…ToConsumerGroup).
 */
export class ClassicMembersOfConsumerGroups {
  readonly #services: GroupServices
  readonly #steps: GroupSteps
  readonly #conversion: Conversion
  readonly #membership: ConsumerMembership

  constructor(services: GroupServices, steps: GroupSteps, conversion: Conversion, membership: ConsumerMembership) {
    this.#services = services
    this.#steps = steps
    this.#conversion = conversion
    this.#membership = membership
  }

  /** Throws GroupError. */
  join(group: ConsumerGroup, request: JoinGroupRequest, caller: MemberCaller): JoinGroupResponse {
    const { config, random, metadata } = this.#services
    const { now } = caller
    const isUnknown = request.memberId === ''
    const memberId = isUnknown ? randomUuid(random) : request.memberId
    this.#checkJoin(group, request, memberId, config.consumerGroupMaxSize)
    if (isUnknown && request.groupInstanceId === null && caller.version >= MEMBER_ID_REQUIRED_SINCE) {
      return joinError(ErrorCode.MEMBER_ID_REQUIRED, memberId)
    }
    const subscription = readSubscription(request.protocols[0]!.metadata)
    if (subscription === null) throw inconsistent(`The subscription of member ${memberId} cannot be read.`)
    const replaced = request.groupInstanceId === null ? undefined : group.staticMember(request.groupInstanceId)
    const isDowngrade = replaced !== undefined && this.#conversion.mayDowngradeBy(group, replaced)
    const change = GroupChange.of(group)
    const member = this.#memberOf(change, request, memberId)
    const protocols = keepProtocols(request.protocols)
    let updated: ConsumerMember = {
      ...member,
      instanceId: request.groupInstanceId ?? member.instanceId,
      rackId: subscription.rackId ? subscription.rackId : member.rackId,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : request.rebalanceTimeoutMs,
      topicNames: new Set(subscription.topics),
      topicRegex: '',
      clientId: caller.clientId,
      clientHost: caller.clientHost,
      classic: { sessionTimeoutMs: request.sessionTimeoutMs, protocols },
    }
    const subscriptionChanged = this.#steps.updateMember(change, member, updated, now)
    const owned = ownedOf(subscription, metadata.topics)
    const isStale = change.group.assignmentEpoch < change.group.epoch
    if (!isDowngrade) this.#steps.updateTargets(change, updated.id, now)
    if (!isDowngrade || !isStale) updated = this.#steps.reconcile(change, updated, subscriptionChanged, owned)
    if (isDowngrade) this.#conversion.downgrade(change, [], isStale, now)
    else change.afterwards(() => this.#joined(group.id, updated, request, now))
    this.#services.commit(change, now)
    return joined(updated, protocols[0]!.name)
  }

  /** Throws GroupError. */
  sync(group: ConsumerGroup, request: SyncGroupRequest, now: number): SyncGroupResponse {
    const { protocolType, protocolName } = request
    const member = this.#classicMember(group, request)
    const protocol = member.classic.protocols[0]!
    if (
      (protocolType ?? CONSUMER_PROTOCOL_TYPE) !== CONSUMER_PROTOCOL_TYPE ||
      (protocolName ?? protocol.name) !== protocol.name
    ) {
      throw inconsistent(`Member ${member.id} was told to use protocol ${protocol.name} of type ${CONSUMER_PROTOCOL_TYPE}.`)
    }
    // One that has something to give back first did join already.
    if (group.assignmentEpoch > member.epoch && member.state !== 'UNREVOKED_PARTITIONS') {
      this.#expectJoin(group.id, member, now)
      const message = `A new rebalance is triggered in group ${group.id} and member ${member.id} should rejoin to catch up.`
      throw new GroupError(ErrorCode.REBALANCE_IN_PROGRESS, message)
    }
    this.#services.timers.cancel('sync', group.id, member.id)
    this.#membership.extendSession(group.id, member.id, member.classic.sessionTimeoutMs, now)
    const assignment = writeAssignment(withoutEpochs(member.assigned), protocol.metadata, this.#services.metadata.topics)
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, protocolType, protocolName, assignment }
  }

  /** Returns NONE, or REBALANCE_IN_PROGRESS when the member is to join again. Throws GroupError. */
  heartbeat(group: ConsumerGroup, request: HeartbeatRequest, now: number): number {
    const member = this.#classicMember(group, request)
    this.#membership.extendSession(group.id, member.id, member.classic.sessionTimeoutMs, now)
    const mustJoin =
      member.epoch < group.assignmentEpoch ||
      member.state === 'UNREVOKED_PARTITIONS' ||
      (member.state === 'UNRELEASED_PARTITIONS' && !isWaiting(group, member))
    if (!mustJoin) return ErrorCode.NONE
    this.#expectJoin(group.id, member, now)
    return ErrorCode.REBALANCE_IN_PROGRESS
  }

  /** Throws GroupError when nothing could be stored. */
  leave(group: ConsumerGroup, members: LeaveGroupRequest['members'], now: number): MemberResponse[] {
    const leaving = new Set<ConsumerMember>()
    const replies = members.map(({ memberId, groupInstanceId }): MemberResponse => {
      try {
        leaving.add(leaver(group, memberId, groupInstanceId))
        return { memberId, groupInstanceId, errorCode: ErrorCode.NONE }
      } catch (error) {
        if (!(error instanceof GroupError)) throw error
        return { memberId, groupInstanceId, errorCode: error.errorCode }
      }
    })
    this.#membership.remove(group, [...leaving], now)
    return replies
  }

  #checkJoin(group: ConsumerGroup, request: JoinGroupRequest, memberId: string, maxSize: number): void {
    if (this.#services.config.consumerGroupMigrationPolicy === 'disabled') {
      const why = 'because the group migration is disabled'
      throw inconsistent(`Cannot join the consumer group ${group.id} with the classic protocol ${why}.`)
    }
    checkRoom(group, memberId, maxSize)
    const classic = [...group.members.values()].flatMap((member) => member.classic ?? [])
    const isSupported = request.protocols.some(({ name }) => {
      return classic.every(({ protocols }) => protocols.some((protocol) => protocol.name === name))
    })
    if (request.protocolType !== CONSUMER_PROTOCOL_TYPE || !isSupported) {
      throw inconsistent(`Member ${memberId}'s protocols are not supported.`)
    }
  }

  #memberOf(change: GroupChange, request: JoinGroupRequest, memberId: string): ConsumerMember {
    const { group } = change
    const { groupInstanceId } = request
    if (groupInstanceId === null) return group.members.get(memberId) ?? newMember(memberId)
    if (request.memberId !== '') return knownInstance(group, groupInstanceId, memberId)
    const former = group.staticMember(groupInstanceId)
    if (former === undefined) return newMember(memberId)
    const successor = { ...former, id: memberId, epoch: 0, previousEpoch: 0 }
    this.#steps.replace(change, former, successor)
    return successor
  }

  #classicMember(group: ConsumerGroup, request: HeartbeatRequest | SyncGroupRequest): WithClassic {
    const { memberId, groupInstanceId, generationId } = request
    const member = groupInstanceId === null ? knownMember(group, memberId) : knownInstance(group, groupInstanceId, memberId)
    const { classic } = member
    if (classic === null) {
      throw new GroupError(ErrorCode.UNKNOWN_MEMBER_ID, `Member ${memberId} does not use the classic protocol.`)
    }
    if (generationId === member.epoch) return { ...member, classic }
    const message = `Generation ${generationId} is not the epoch ${member.epoch} of member ${memberId}.`
    throw new GroupError(ErrorCode.ILLEGAL_GENERATION, message)
  }

  #joined(groupId: string, member: ConsumerMember, request: JoinGroupRequest, now: number): void {
    const { timers } = this.#services
    timers.cancel('join', groupId, member.id)
    timers.cancel('rebalance', groupId, member.id)
    this.#membership.extendSession(groupId, member.id, request.sessionTimeoutMs, now)
    const expire = (at: number): void => this.#membership.fence('sync', groupId, member.id, at)
    timers.start('sync', groupId, member.id, now + request.rebalanceTimeoutMs, expire)
  }

  /** The member was told to join; it has its rebalance timeout for it. */
  #expectJoin(groupId: string, member: ConsumerMember, now: number): void {
    const { timers } = this.#services
    if (timers.isRunning('join', groupId, member.id)) return
    const expire = (at: number): void => this.#membership.fence('join', groupId, member.id, at)
    timers.start('join', groupId, member.id, now + member.rebalanceTimeoutMs, expire)
  }
}

/** Whether others still have a partition that the member shall have. */
function isWaiting(group: ConsumerGroup, member: ConsumerMember): boolean {
  for (const [topicId, partitions] of group.target(member.id)) {
    const assigned = member.assigned.get(topicId)
    for (const partition of partitions) {
      if (!assigned?.has(partition) && group.isOwned(topicId, partition)) return true
    }
  }
  return false
}

/** An administrator removes static members by their instance ids alone. */
function leaver(group: ConsumerGroup, memberId: string, instanceId: string | null): ConsumerMember {
  if (instanceId === null) return knownMember(group, memberId)
  const known = memberId === '' ? (group.instances.get(instanceId) ?? '') : memberId
  return knownInstance(group, instanceId, known)
}

function joined(member: ConsumerMember, protocolName: string): JoinGroupResponse {
  const { id: memberId, epoch: generationId } = member
  return {
    ...joinError(ErrorCode.NONE, memberId),
    generationId,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocolName,
  }
}

function inconsistent(message: string): GroupError {
  return new GroupError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, message)
}
