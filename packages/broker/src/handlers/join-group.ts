/** JoinGroup v0-9. The reply waits until the group's join phase is over (see coordinator/rebalance.ts). */
import { ErrorCode } from '@millrace/protocol'
import { joinGroupApi, type JoinGroupRequest, type JoinGroupResponse } from '@millrace/protocol/apis/join-group'
import { joinError } from '../coordinator/replies.ts'
import { Deferred } from '../core/deferred.ts'
import type { Handler, RequestContext } from '../core/handler.ts'
import { wholeErrors } from '../faults/error-shape.ts'

/** Since v7 the reply carries the protocol type, and its protocol name may be null (KIP-559). */
const NULLABLE_PROTOCOL_SINCE = 7

export const joinGroupHandler: Handler<JoinGroupRequest, JoinGroupResponse> = {
  api: joinGroupApi,
  minVersion: 0,
  maxVersion: 9,
  errors: wholeErrors(
    (errorCode, { memberId }, { version }) => {
      const failed = joinError(errorCode, memberId)
      return version >= NULLABLE_PROTOCOL_SINCE ? failed : { ...failed, protocolName: '' }
    },
    ({ groupId }) => groupId,
  ),
  handle(request, context) {
    const reply = join(request, context)
    if (context.version >= NULLABLE_PROTOCOL_SINCE) return reply
    const older = new Deferred<JoinGroupResponse>()
    reply.onComplete((response) => older.complete({ ...response, protocolName: response.protocolName ?? '' }))
    return older
  },
}

function join(
  request: JoinGroupRequest,
  { broker, connection, clientId, now, version }: RequestContext,
): Deferred<JoinGroupResponse> {
  const { groups, config } = broker
  const { groupId, memberId, sessionTimeoutMs } = request
  if (groupId === '') return done(joinError(ErrorCode.INVALID_GROUP_ID, memberId))
  if (sessionTimeoutMs < config.groupMinSessionTimeoutMs || sessionTimeoutMs > config.groupMaxSessionTimeoutMs) {
    return done(joinError(ErrorCode.INVALID_SESSION_TIMEOUT, memberId))
  }
  // v0 has no rebalance timeout.
  const complete = version === 0 ? { ...request, rebalanceTimeoutMs: sessionTimeoutMs } : request
  return groups.requests.join(complete, { version, clientId: clientId ?? '', clientHost: connection.clientHost, now })
}

function done(response: JoinGroupResponse): Deferred<JoinGroupResponse> {
  const reply = new Deferred<JoinGroupResponse>()
  reply.complete(response)
  return reply
}
