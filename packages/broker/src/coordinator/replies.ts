import type { JoinGroupResponse } from '@millrace/protocol/apis/join-group'
import type { SyncGroupResponse } from '@millrace/protocol/apis/sync-group'

const EMPTY: Buffer = Buffer.alloc(0)

export const NO_GENERATION = -1
/** JoinGroup v4 and up: a member without an id is given one first and joins with it (KIP-394). */
export const MEMBER_ID_REQUIRED_SINCE = 4

export function joinError(errorCode: number, memberId: string): JoinGroupResponse {
  return {
    throttleTimeMs: 0,
    errorCode,
    generationId: NO_GENERATION,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    memberId,
    members: [],
  }
}

export function syncError(errorCode: number): SyncGroupResponse {
  return { throttleTimeMs: 0, errorCode, protocolType: null, protocolName: null, assignment: EMPTY }
}
