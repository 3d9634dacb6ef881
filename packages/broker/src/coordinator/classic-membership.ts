import { ErrorCode } from '@millrace/protocol'
import type { HeartbeatRequest } from '@millrace/protocol/apis/heartbeat'
import type { JoinGroupRequest, JoinGroupResponse } from '@millrace/protocol/apis/join-group'
import type { LeaveGroupRequest, MemberResponse } from '@millrace/protocol/apis/leave-group'
import type { SyncGroupRequest, SyncGroupResponse } from '@millrace/protocol/apis/sync-group'
import { Deferred } from '../core/deferred.ts'
import { randomJavaUuid } from '../metadata/uuid.ts'
import type { ClassicGroup } from './classic-group.ts'
import { ClassicMember, keepProtocols } from './classic-member.ts'
import type { Rebalance } from './rebalance.ts'
import { joinError, MEMBER_ID_REQUIRED_SINCE, syncError } from './replies.ts'

/** JoinGroup v9 and up: a static leader that came back is told to leave the assignment alone (KIP-814). */
const SKIP_ASSIGNMENT_SINCE = 9

export interface Caller {
  readonly version: number
  readonly clientId: string
  readonly clientHost: string
  readonly now: number
}

/** What members do to a classic group: Kafka's GroupMetadataManager.classicGroup{Join,Sync,Heartbeat,Leave}. */
export class ClassicMembership {
  readonly #rebalance: Rebalance
  readonly #random: () => number
  readonly #maxSize: number

  constructor(rebalance: Rebalance, random: () => number, maxSize: number) {
    this.#rebalance = rebalance
    this.#random = random
    this.#maxSize = maxSize
  }

  join(group: ClassicGroup, request: JoinGroupRequest, caller: Caller): Deferred<JoinGroupResponse> {
    const reply = new Deferred<JoinGroupResponse>()
    const { memberId } = request
    if (!this.#accepts(group, memberId)) {
      group.remove(memberId)
      reply.complete(joinError(ErrorCode.GROUP_MAX_SIZE_REACHED, ''))
    } else if (!group.supportsProtocols(request.protocolType, request.protocols)) {
      reply.complete(joinError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, memberId))
    } else if (memberId === '') {
      this.#joinNew(group, request, caller, reply)
    } else {
      this.#joinKnown(group, request, caller, reply)
    }
    return reply
  }

  sync(group: ClassicGroup, request: SyncGroupRequest, now: number): Deferred<SyncGroupResponse> {
    const reply = new Deferred<SyncGroupResponse>()
    const error = checkSync(group, request)
    const member = group.members.get(request.memberId)
    if (error !== ErrorCode.NONE || member === undefined) {
      reply.complete(syncError(error))
    } else if (group.state === 'Stable') {
      this.#rebalance.synced(group, member)
      reply.complete(group.syncReply(member))
    } else {
      group.completeSync(member, syncError(ErrorCode.REBALANCE_IN_PROGRESS))
      member.awaitingSync = reply
      this.#rebalance.synced(group, member)
      if (group.leader === member.id) {
        const assignments = new Map(request.assignments.map(({ memberId, assignment }) => [memberId, Buffer.from(assignment)]))
        this.#rebalance.assign(group, assignments, now)
      }
    }
    return reply
  }

  heartbeat(group: ClassicGroup, request: HeartbeatRequest, now: number): number {
    const error = group.validateMember(request.memberId, request.groupInstanceId)
    if (error !== ErrorCode.NONE) return error
    if (request.generationId !== group.generation) return ErrorCode.ILLEGAL_GENERATION
    this.#rebalance.extendSession(group, group.members.get(request.memberId)!, now)
    return group.state === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
  }

  leave(group: ClassicGroup, members: LeaveGroupRequest['members'], now: number): MemberResponse[] {
    let anyLeft = false
    const replies = members.map(({ memberId, groupInstanceId }) => {
      const errorCode = this.#leaveOne(group, memberId, groupInstanceId)
      anyLeft ||= errorCode === ErrorCode.NONE
      return { memberId, groupInstanceId, errorCode }
    })
    if (anyLeft) this.#rebalance.membersLeft(group, now)
    return replies
  }

  #leaveOne(group: ClassicGroup, memberId: string, instanceId: string | null): number {
    let id = memberId
    if (memberId === '') {
      // An administrator removes a static member by its instance id.
      const current = instanceId === null ? undefined : group.staticMemberId(instanceId)
      if (current === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
      id = current
    } else if (group.pendingJoin.has(memberId)) {
      group.remove(memberId)
      return ErrorCode.NONE
    } else {
      const error = group.validateMember(memberId, instanceId)
      if (error !== ErrorCode.NONE) return error
    }
    this.#rebalance.removeMember(group, group.members.get(id)!)
    return ErrorCode.NONE
  }

  #accepts(group: ClassicGroup, memberId: string): boolean {
    if (group.state === 'Empty' || group.state === 'Dead') return true
    const member = group.members.get(memberId)
    if (group.state !== 'PreparingRebalance') return member !== undefined || group.members.size < this.#maxSize
    // Counting those who joined, not the members, lets the last ones out when the limit was lowered.
    return (member !== undefined && member.awaitingJoin !== null) || group.awaitingJoinCount < this.#maxSize
  }

  #joinNew(group: ClassicGroup, request: JoinGroupRequest, caller: Caller, reply: Deferred<JoinGroupResponse>): void {
    const { groupInstanceId } = request
    const memberId = `${groupInstanceId ?? caller.clientId}-${randomJavaUuid(this.#random)}`
    if (groupInstanceId !== null) {
      if (group.staticMemberId(groupInstanceId) === undefined) return this.#add(group, request, memberId, caller, reply)
      return this.#replaceStatic(group, request, groupInstanceId, memberId, caller, reply)
    }
    if (caller.version < MEMBER_ID_REQUIRED_SINCE) return this.#add(group, request, memberId, caller, reply)
    this.#rebalance.expectMember(group, memberId, caller.now + request.sessionTimeoutMs)
    reply.complete(joinError(ErrorCode.MEMBER_ID_REQUIRED, memberId))
  }

  #joinKnown(group: ClassicGroup, request: JoinGroupRequest, caller: Caller, reply: Deferred<JoinGroupResponse>): void {
    const { memberId, groupInstanceId } = request
    if (group.pendingJoin.has(memberId)) {
      // Ids are handed out in advance to dynamic members only.
      if (groupInstanceId !== null) return void reply.complete(joinError(ErrorCode.UNKNOWN_MEMBER_ID, memberId))
      return this.#add(group, request, memberId, caller, reply)
    }
    const error = group.validateMember(memberId, groupInstanceId)
    if (error !== ErrorCode.NONE) return void reply.complete(joinError(error, memberId))
    const member = group.members.get(memberId)!
    const unchanged = member.matches(request.protocols)
    switch (group.state) {
      case 'PreparingRebalance':
        return this.#rejoin(group, member, request, caller.now, reply)
      case 'CompletingRebalance':
        // It may have missed the first answer.
        if (unchanged) return void reply.complete(group.joinReply(memberId))
        return this.#rejoin(group, member, request, caller.now, reply)
      case 'Stable':
        // The leader rejoins to have partitions assigned anew: what it watches (topics) has changed.
        if (unchanged && group.leader !== memberId) return void reply.complete(group.joinReply(memberId))
        return this.#rejoin(group, member, request, caller.now, reply)
      default:
        reply.complete(joinError(ErrorCode.UNKNOWN_MEMBER_ID, memberId))
    }
  }

  #rejoin(
    group: ClassicGroup,
    member: ClassicMember,
    request: JoinGroupRequest,
    now: number,
    reply: Deferred<JoinGroupResponse>,
  ): void {
    group.update(member, keepProtocols(request.protocols), request, reply)
    this.#rebalance.begin(group, now)
  }

  #add(
    group: ClassicGroup,
    request: JoinGroupRequest,
    memberId: string,
    caller: Caller,
    reply: Deferred<JoinGroupResponse>,
  ): void {
    const member = new ClassicMember({
      id: memberId,
      instanceId: request.groupInstanceId,
      clientId: caller.clientId,
      clientHost: caller.clientHost,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      sessionTimeoutMs: request.sessionTimeoutMs,
      protocols: keepProtocols(request.protocols),
    })
    member.isNew = true
    if (group.state === 'PreparingRebalance' && group.previousState === 'Empty') group.newMemberAdded = true
    group.add(member, reply, request.protocolType)
    this.#rebalance.startSession(group, member, caller.now)
    this.#rebalance.begin(group, caller.now)
  }

  #replaceStatic(
    group: ClassicGroup,
    request: JoinGroupRequest,
    instanceId: string,
    newMemberId: string,
    caller: Caller,
    reply: Deferred<JoinGroupResponse>,
  ): void {
    const formerLeader = group.leader
    const former = group.members.get(group.staticMemberId(instanceId)!)!
    const member = group.replaceStaticMember(instanceId, newMemberId)
    this.#rebalance.extendSession(group, member, caller.now)
    group.update(member, keepProtocols(request.protocols), request, reply)
    if (group.state === 'CompletingRebalance') {
      // The leader may be assigning to the old id at this moment.
      return this.#rebalance.prepare(group, caller.now)
    }
    if (group.state !== 'Stable') return this.#rebalance.maybeCompleteJoin(group, caller.now)
    if (group.selectProtocol() !== group.protocol) return this.#rebalance.begin(group, caller.now)
    const error = this.#rebalance.store(group, caller.now)
    if (error !== ErrorCode.NONE) {
      // Nobody may act under an id that the log does not have: the former one is back.
      group.completeJoin(member, joinError(error, ''))
      const restored = group.replaceStaticMember(instanceId, former.id)
      group.setProtocols(restored, former.protocols, former)
      return this.#rebalance.extendSession(group, restored, caller.now)
    }
    const answer = group.joinReply(newMemberId)
    if (caller.version >= SKIP_ASSIGNMENT_SINCE) {
      answer.skipAssignment = group.leader === newMemberId
    } else {
      // Told that another is the leader, an old client does not assign.
      answer.leader = formerLeader ?? ''
      answer.members = []
    }
    group.completeJoin(member, answer)
  }
}

function checkSync(group: ClassicGroup, request: SyncGroupRequest): number {
  const error = group.validateMember(request.memberId, request.groupInstanceId)
  if (error !== ErrorCode.NONE) return error
  if (request.generationId !== group.generation) return ErrorCode.ILLEGAL_GENERATION
  if (differs(request.protocolType, group.protocolType) || differs(request.protocolName, group.protocol)) {
    return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
  }
  return group.state === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
}

function differs(given: string | null, actual: string | null): boolean {
  return given !== null && actual !== null && given !== actual
}
