/** ConsumerGroupHeartbeat v0-1 (KIP-848; v1 with regular expressions and ids that members make themselves). */
import { ErrorCode } from '@millrace/protocol'
import {
  consumerGroupHeartbeatApi,
  type ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
} from '@millrace/protocol/apis/consumer-group-heartbeat'
import { GroupError } from '../consumer-groups/group-error.ts'
import type { Handler } from '../core/handler.ts'
import { FAULT_MESSAGE, wholeErrors } from '../faults/error-shape.ts'

export const consumerGroupHeartbeatHandler: Handler<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse> = {
  api: consumerGroupHeartbeatApi,
  minVersion: 0,
  maxVersion: 1,
  errors: wholeErrors(
    (errorCode) => failed(errorCode, FAULT_MESSAGE),
    ({ groupId }) => groupId,
  ),
  handle(request, { broker, clientId, connection, now, version }) {
    try {
      const caller = { version, clientId: clientId ?? '', clientHost: connection.clientHost, now }
      return broker.groups.requests.consumerHeartbeat(request, caller)
    } catch (error) {
      if (error instanceof GroupError) return failed(error.errorCode, error.message)
      throw error
    }
  },
}

function failed(errorCode: number, errorMessage: string): ConsumerGroupHeartbeatResponse {
  return {
    throttleTimeMs: 0,
    errorCode,
    errorMessage: errorCode === ErrorCode.NONE ? null : errorMessage,
    memberId: null,
    memberEpoch: 0,
    heartbeatIntervalMs: 0,
    assignment: null,
  }
}
