import { ErrorCode } from '@millrace/protocol'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '@millrace/protocol/apis/consumer-group-heartbeat'
import { GROUP_TIMER_RETRY_MS } from '../limits.ts'
import { randomUuid } from '../metadata/uuid.ts'
import { inEpoch, NO_EPOCHS, sameEpochs, withoutEpochs, type EpochAssignment } from './assignment.ts'
import { checkEpoch, checkHeartbeat, checkRoom, knownInstance, knownMember } from './checks.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { LEAVE_EPOCH, newMember, STATIC_LEAVE_EPOCH, type ConsumerMember } from './consumer-member.ts'
import type { Conversion } from './conversion.ts'
import { GroupChange } from './group-change.ts'
import { GroupError } from './group-error.ts'
import type { GroupServices, MemberCaller } from './group-services.ts'
import type { GroupSteps } from './group-steps.ts'

/** What members of the consumer protocol (KIP-848) do to a group, and what time does to it. */
export class ConsumerMembership {
  readonly #services: GroupServices
  readonly #steps: GroupSteps
  readonly #conversion: Conversion

  constructor(services: GroupServices, steps: GroupSteps, conversion: Conversion) {
    this.#services = services
    this.#steps = steps
    this.#conversion = conversion
  }

  /** Throws GroupError. */
  heartbeat(request: ConsumerGroupHeartbeatRequest, caller: MemberCaller): ConsumerGroupHeartbeatResponse {
    const { config } = this.#services
    checkHeartbeat(request, caller.version, config.consumerGroupAssignors)
    if (request.memberEpoch === LEAVE_EPOCH || request.memberEpoch === STATIC_LEAVE_EPOCH) {
      return this.#leave(request, caller.now)
    }
    const { now } = caller
    const isJoining = request.memberEpoch === 0
    const change = this.#conversion.open(request.groupId, isJoining, now)
    checkRoom(change.group, request.memberId, config.consumerGroupMaxSize)
    const member = this.#memberOf(change, request)
    const updated = withRequest(member, request, caller)
    const subscriptionChanged = this.#steps.updateMember(change, member, updated, now)
    this.#steps.updateTargets(change, updated.id, now)
    const { sessionTimeoutMs } = this.#services.groupConfig(change.id)
    const reconciled = this.#steps.reconcile(change, updated, subscriptionChanged, request.topicPartitions)
    if (reconciled !== updated) change.afterwards(() => this.#limitRevocation(change.id, reconciled, now))
    change.afterwards(() => this.extendSession(change.id, reconciled.id, sessionTimeoutMs, now))
    this.#services.commit(change, now)
    const isFull =
      request.rebalanceTimeoutMs !== -1 &&
      (request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null) &&
      request.topicPartitions !== null
    const tellsAssignment = isJoining || isFull || !sameEpochs(member.assigned, reconciled.assigned)
    return { ...this.#reply(change.id, reconciled), assignment: tellsAssignment ? assignmentReply(reconciled.assigned) : null }
  }

  /** The member counts as gone when it is not heard of for so long. */
  extendSession(groupId: string, memberId: string, timeoutMs: number, now: number): void {
    const expire = (at: number): void => this.fence('session', groupId, memberId, at)
    this.#services.timers.extend('session', groupId, memberId, now + timeoutMs, expire)
  }

  /** Removes a member whose time is up. */
  fence(timer: 'session' | 'rebalance' | 'join' | 'sync', groupId: string, memberId: string, now: number): void {
    const group = this.#services.find(groupId)
    if (group?.type !== 'consumer') return
    const member = group.members.get(memberId)
    if (member === undefined) return
    try {
      this.remove(group, [member], now)
    } catch (error) {
      if (!(error instanceof GroupError)) throw error
      const again = (at: number): void => this.fence(timer, groupId, memberId, at)
      this.#services.timers.start(timer, groupId, memberId, now + GROUP_TIMER_RETRY_MS, again)
    }
  }

  /** Takes members out of the group, which goes back to the classic protocol when no other is left in it. Throws GroupError. */
  remove(group: ConsumerGroup, members: readonly ConsumerMember[], now: number): void {
    if (members.length === 0) return
    const change = GroupChange.of(group)
    if (this.#conversion.mayDowngrade(group, members)) this.#conversion.downgrade(change, members, true, now)
    else this.#steps.remove(change, members)
    this.#services.commit(change, now)
  }

  /** After a restart: all members have a whole session timeout to show themselves. */
  restored(group: ConsumerGroup, now: number): void {
    const { sessionTimeoutMs } = this.#services.groupConfig(group.id)
    for (const member of group.members.values()) {
      this.extendSession(group.id, member.id, sessionTimeoutMs, now)
      if (member.state === 'UNREVOKED_PARTITIONS') this.#limitRevocation(group.id, member, now)
    }
  }

  #leave(request: ConsumerGroupHeartbeatRequest, now: number): ConsumerGroupHeartbeatResponse {
    const { groupId, memberId, memberEpoch, instanceId } = request
    const group = this.#conversion.consumerGroup(groupId)
    const member = instanceId === null ? knownMember(group, memberId) : knownInstance(group, instanceId, memberId)
    const reply = { ...this.#reply(groupId, { ...member, epoch: memberEpoch }), heartbeatIntervalMs: 0, assignment: null }
    if (memberEpoch === LEAVE_EPOCH || instanceId === null) {
      this.remove(group, [member], now)
      return reply
    }
    // Its partitions stay its own until it comes back, as if it had had them from the beginning, or its session ends.
    const change = GroupChange.of(group)
    const away = { ...member, epoch: STATIC_LEAVE_EPOCH, assigned: inEpoch(member.assigned, 0), revoking: NO_EPOCHS }
    change.add({ type: 'progress', group: groupId, member: member.id, value: away })
    this.#services.commit(change, now)
    return reply
  }

  #memberOf(change: GroupChange, request: ConsumerGroupHeartbeatRequest): ConsumerMember {
    const { instanceId, memberEpoch, topicPartitions } = request
    const { group } = change
    const memberId = request.memberId === '' ? randomUuid(this.#services.random) : request.memberId
    if (instanceId === null) {
      const member = memberEpoch === 0 ? (group.members.get(memberId) ?? newMember(memberId)) : knownMember(group, memberId)
      checkEpoch(member, memberEpoch, topicPartitions)
      return member
    }
    if (memberEpoch !== 0) {
      const member = knownInstance(group, instanceId, memberId)
      checkEpoch(member, memberEpoch, topicPartitions)
      return member
    }
    const former = group.staticMember(instanceId)
    if (former === undefined) return group.members.get(memberId) ?? newMember(memberId)
    if (former.classic === null && former.epoch !== STATIC_LEAVE_EPOCH) {
      const message =
        `Static member ${memberId} with instance id ${instanceId} cannot join the group because the instance id is owned by ` +
        `${former.id} member.`
      throw new GroupError(ErrorCode.UNRELEASED_INSTANCE_ID, message)
    }
    const successor = { ...former, id: memberId, epoch: 0, previousEpoch: 0 }
    this.#steps.replace(change, former, successor)
    return successor
  }

  /** A member that must give partitions back has its rebalance timeout for it. */
  #limitRevocation(groupId: string, member: ConsumerMember, now: number): void {
    const { timers } = this.#services
    if (member.classic !== null) return
    if (member.state !== 'UNREVOKED_PARTITIONS') return timers.cancel('rebalance', groupId, member.id)
    timers.start('rebalance', groupId, member.id, now + member.rebalanceTimeoutMs, (at) => {
      const group = this.#services.find(groupId)
      if (group?.type !== 'consumer' || group.members.get(member.id)?.epoch !== member.epoch) return
      this.fence('rebalance', groupId, member.id, at)
    })
  }

  #reply(groupId: string, member: ConsumerMember): Omit<ConsumerGroupHeartbeatResponse, 'assignment'> {
    return {
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      memberId: member.id,
      memberEpoch: member.epoch,
      heartbeatIntervalMs: this.#services.groupConfig(groupId).heartbeatIntervalMs,
    }
  }
}

/** The member with what is new in its request; null and -1 mean that nothing changed. */
function withRequest(member: ConsumerMember, request: ConsumerGroupHeartbeatRequest, caller: MemberCaller): ConsumerMember {
  const { instanceId, rackId, rebalanceTimeoutMs, serverAssignor, subscribedTopicNames, subscribedTopicRegex } = request
  return {
    ...member,
    instanceId: instanceId ?? member.instanceId,
    rackId: rackId ?? member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    serverAssignor: serverAssignor ?? member.serverAssignor,
    topicNames: subscribedTopicNames === null ? member.topicNames : new Set(subscribedTopicNames),
    topicRegex: subscribedTopicRegex ?? member.topicRegex,
    clientId: caller.clientId,
    clientHost: caller.clientHost,
    classic: null,
  }
}

function assignmentReply(assigned: EpochAssignment): NonNullable<ConsumerGroupHeartbeatResponse['assignment']> {
  const topicPartitions = [...withoutEpochs(assigned)].map(([topicId, held]) => ({
    topicId,
    partitions: [...held].toSorted((a, b) => a - b),
  }))
  return { topicPartitions }
}
