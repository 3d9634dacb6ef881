/** Heartbeat v0-4: keeps a member's session, and tells it when to rejoin. */
import { ErrorCode } from '@millrace/protocol'
import { heartbeatApi, type HeartbeatRequest, type HeartbeatResponse } from '@millrace/protocol/apis/heartbeat'
import type { Handler, RequestContext } from '../core/handler.ts'
import { wholeErrors } from '../faults/error-shape.ts'

export const heartbeatHandler: Handler<HeartbeatRequest, HeartbeatResponse> = {
  api: heartbeatApi,
  minVersion: 0,
  maxVersion: 4,
  errors: wholeErrors(
    (errorCode) => ({ throttleTimeMs: 0, errorCode }),
    ({ groupId }) => groupId,
  ),
  handle(request, context) {
    return { throttleTimeMs: 0, errorCode: beat(request, context) }
  },
}

function beat(request: HeartbeatRequest, { broker, now }: RequestContext): number {
  if (request.groupId === '') return ErrorCode.INVALID_GROUP_ID
  return broker.groups.requests.heartbeat(request, now)
}
