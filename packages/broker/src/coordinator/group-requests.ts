import { ErrorCode } from '@millrace/protocol'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '@millrace/protocol/apis/consumer-group-heartbeat'
import type { HeartbeatRequest } from '@millrace/protocol/apis/heartbeat'
import type { JoinGroupRequest, JoinGroupResponse } from '@millrace/protocol/apis/join-group'
import type { LeaveGroupRequest, LeaveGroupResponse, MemberResponse } from '@millrace/protocol/apis/leave-group'
import type { SyncGroupRequest, SyncGroupResponse } from '@millrace/protocol/apis/sync-group'
import type { ClassicMembersOfConsumerGroups } from '../consumer-groups/classic-members.ts'
import type { ConsumerMembership } from '../consumer-groups/consumer-membership.ts'
import { GroupError } from '../consumer-groups/group-error.ts'
import { Deferred } from '../core/deferred.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { Caller, ClassicMembership } from './classic-membership.ts'
import type { Group } from './group-coordinator.ts'
import { joinError, syncError } from './replies.ts'

export interface GroupRequestsDependencies {
  readonly classic: ClassicMembership
  readonly consumer: ConsumerMembership
  readonly mixed: ClassicMembersOfConsumerGroups
  find(groupId: string): Group | undefined
  /** The classic group of that id, made if need be, also in place of an empty consumer group; or an error code. */
  createClassic(groupId: string, now: number): ClassicGroup | number
}

/** What members ask of their groups, by whichever protocol: brings each request to where groups of its kind are served. */
export class GroupRequests {
  readonly #deps: GroupRequestsDependencies

  constructor(dependencies: GroupRequestsDependencies) {
    this.#deps = dependencies
  }

  join(request: JoinGroupRequest, caller: Caller): Deferred<JoinGroupResponse> {
    const { classic, mixed } = this.#deps
    const { groupId, memberId } = request
    const known = this.#deps.find(groupId)
    if (known?.type === 'consumer' && !known.isEmpty) {
      return done(
        orError(
          () => mixed.join(known, request, caller),
          (errorCode) => joinError(errorCode, memberId),
        ),
      )
    }
    // A member that has an id had a group; only newcomers make one.
    const group = memberId === '' ? this.#deps.createClassic(groupId, caller.now) : known
    if (typeof group === 'number') return done(joinError(group, memberId))
    if (group?.type !== 'classic') return done(joinError(ErrorCode.UNKNOWN_MEMBER_ID, memberId))
    return classic.join(group, request, caller)
  }

  sync(request: SyncGroupRequest, now: number): SyncGroupResponse | Deferred<SyncGroupResponse> {
    const group = this.#deps.find(request.groupId)
    if (group === undefined || group.state === 'Empty') return syncError(ErrorCode.UNKNOWN_MEMBER_ID)
    if (group.type === 'classic') return this.#deps.classic.sync(group, request, now)
    return orError(() => this.#deps.mixed.sync(group, request, now), syncError)
  }

  /** Returns NONE or the error for the member. */
  heartbeat(request: HeartbeatRequest, now: number): number {
    const group = this.#deps.find(request.groupId)
    if (group === undefined || group.state === 'Empty') return ErrorCode.UNKNOWN_MEMBER_ID
    if (group.type === 'classic') return this.#deps.classic.heartbeat(group, request, now)
    return orError(
      () => this.#deps.mixed.heartbeat(group, request, now),
      (errorCode) => errorCode,
    )
  }

  leave(groupId: string, leaving: LeaveGroupRequest['members'], now: number): LeaveGroupResponse {
    const group = this.#deps.find(groupId)
    const reply = (errorCode: number, members: MemberResponse[]): LeaveGroupResponse => ({
      throttleTimeMs: 0,
      errorCode,
      members,
    })
    if (group?.type === 'classic') return reply(ErrorCode.NONE, this.#deps.classic.leave(group, leaving, now))
    if (group?.type === 'consumer') {
      return orError(
        () => reply(ErrorCode.NONE, this.#deps.mixed.leave(group, leaving, now)),
        (errorCode) => reply(errorCode, []),
      )
    }
    const errorCode = ErrorCode.UNKNOWN_MEMBER_ID
    return reply(
      ErrorCode.NONE,
      leaving.map(({ memberId, groupInstanceId }) => ({ memberId, groupInstanceId, errorCode })),
    )
  }

  /** Throws GroupError. */
  consumerHeartbeat(request: ConsumerGroupHeartbeatRequest, caller: Caller): ConsumerGroupHeartbeatResponse {
    return this.#deps.consumer.heartbeat(request, caller)
  }
}

function done<T>(response: T): Deferred<T> {
  const reply = new Deferred<T>()
  reply.complete(response)
  return reply
}

function orError<T>(serve: () => T, refused: (errorCode: number) => T): T {
  try {
    return serve()
  } catch (error) {
    if (error instanceof GroupError) return refused(error.errorCode)
    throw error
  }
}
