import type { HeartbeatRequest } from '@millrace/protocol/apis/heartbeat'
import type { JoinGroupRequest } from '@millrace/protocol/apis/join-group'
import type { LeaveGroupRequest } from '@millrace/protocol/apis/leave-group'
import type { SyncGroupRequest } from '@millrace/protocol/apis/sync-group'
import type { Assignment, LastAssignment, PartitionAssignor } from '../assignors/assignor.ts'
import { REASON_LENGTH_MAX } from '../limits.ts'
import type { TopicPartition } from '../topic-partition.ts'
import type { MemberIdentity } from './membership.ts'
import { encodeAssignment, encodeSubscription } from './consumer-protocol.ts'

export const PROTOCOL_TYPE = 'consumer'

export interface MemberConfig {
  readonly groupId: string
  readonly groupInstanceId: string | null
  /** In order of preference. */
  readonly assignors: readonly PartitionAssignor[]
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly maxPollIntervalMs: number
  readonly requestTimeoutMs: number
  readonly rackId: string | null
}

export function joinRequest(
  config: MemberConfig,
  identity: MemberIdentity,
  topics: readonly string[],
  owned: readonly TopicPartition[],
  last: LastAssignment | null,
  reason: string,
): JoinGroupRequest {
  const { groupId, groupInstanceId, sessionTimeoutMs, maxPollIntervalMs, rackId } = config
  const { memberId, generationId } = identity
  const protocols = config.assignors.map((assignor) => ({
    name: assignor.name,
    metadata: encodeSubscription({
      topics,
      userData: assignor.subscriptionUserData?.(topics, last) ?? null,
      ownedPartitions: owned,
      generationId,
      rackId,
    }),
  }))
  return {
    groupId,
    sessionTimeoutMs,
    rebalanceTimeoutMs: maxPollIntervalMs,
    memberId,
    groupInstanceId,
    protocolType: PROTOCOL_TYPE,
    protocols,
    reason: reason.slice(0, REASON_LENGTH_MAX),
  }
}

export function syncRequest(
  config: MemberConfig,
  identity: MemberIdentity,
  protocolName: string,
  assignment: Assignment,
): SyncGroupRequest {
  const { groupId, groupInstanceId } = config
  const assignments = [...assignment].map(([memberId, partitions]) => ({ memberId, assignment: encodeAssignment(partitions) }))
  return { groupId, groupInstanceId, ...identity, protocolType: PROTOCOL_TYPE, protocolName, assignments }
}

export function heartbeatRequest(config: MemberConfig, identity: MemberIdentity): HeartbeatRequest {
  return { groupId: config.groupId, groupInstanceId: config.groupInstanceId, ...identity }
}

export function leaveRequest(config: MemberConfig, memberId: string, reason: string): (version: number) => LeaveGroupRequest {
  const { groupId, groupInstanceId } = config
  return (version) => {
    if (version < 3) return { groupId, memberId, members: [] }
    return { groupId, memberId: '', members: [{ memberId, groupInstanceId, reason: reason.slice(0, REASON_LENGTH_MAX) }] }
  }
}
