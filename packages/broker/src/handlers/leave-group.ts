/** LeaveGroup v0-5. Up to v2 one member leaves and its error is the reply's; v3+ takes several, also static ones by instance id. */
import { ErrorCode } from '@millrace/protocol'
import { leaveGroupApi, type LeaveGroupRequest, type LeaveGroupResponse } from '@millrace/protocol/apis/leave-group'
import type { Handler } from '../core/handler.ts'
import { wholeErrors } from '../faults/error-shape.ts'

export const leaveGroupHandler: Handler<LeaveGroupRequest, LeaveGroupResponse> = {
  api: leaveGroupApi,
  minVersion: 0,
  maxVersion: 5,
  errors: wholeErrors(
    (errorCode) => ({ throttleTimeMs: 0, errorCode, members: [] }),
    ({ groupId }) => groupId,
  ),
  handle(request, { broker, now, version }) {
    if (request.groupId === '') return { throttleTimeMs: 0, errorCode: ErrorCode.INVALID_GROUP_ID, members: [] }
    const single = version < 3
    const leaving = single ? [{ memberId: request.memberId, groupInstanceId: null, reason: null }] : request.members
    const reply = broker.groups.requests.leave(request.groupId, leaving, now)
    if (!single || reply.errorCode !== ErrorCode.NONE) return reply
    return { throttleTimeMs: 0, errorCode: reply.members[0]!.errorCode, members: [] }
  },
}
