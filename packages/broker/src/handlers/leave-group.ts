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
    const group = broker.groups.group(request.groupId)
    const members =
      group === undefined
        ? leaving.map(({ memberId, groupInstanceId }) => ({ memberId, groupInstanceId, errorCode: ErrorCode.UNKNOWN_MEMBER_ID }))
        : broker.groups.membership.leave(group, leaving, now)
    if (single) return { throttleTimeMs: 0, errorCode: members[0]!.errorCode, members: [] }
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, members }
  },
}
