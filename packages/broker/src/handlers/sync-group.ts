/** SyncGroup v0-5. The reply waits for the leader's assignment. */
import { ErrorCode } from '@millrace/protocol'
import { syncGroupApi, type SyncGroupRequest, type SyncGroupResponse } from '@millrace/protocol/apis/sync-group'
import { syncError } from '../coordinator/replies.ts'
import type { Handler } from '../core/handler.ts'
import { wholeErrors } from '../faults/error-shape.ts'

/** Since v5 both protocol fields are required (KIP-559). */
const PROTOCOL_REQUIRED_SINCE = 5

export const syncGroupHandler: Handler<SyncGroupRequest, SyncGroupResponse> = {
  api: syncGroupApi,
  minVersion: 0,
  maxVersion: 5,
  errors: wholeErrors(syncError, ({ groupId }) => groupId),
  handle(request, { broker, now, version }) {
    if (version >= PROTOCOL_REQUIRED_SINCE && (request.protocolType === null || request.protocolName === null)) {
      return syncError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    }
    if (request.groupId === '') return syncError(ErrorCode.INVALID_GROUP_ID)
    return broker.groups.requests.sync(request, now)
  },
}
