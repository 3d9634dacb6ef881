import { KafkaError } from '@millrace/protocol'
import type { JoinGroupResponse } from '@millrace/protocol/apis/join-group'
import { nameAndMessageOf } from '@millrace/protocol/internal'
import type { Assignment, GroupMember, PartitionAssignor, RebalanceProtocol, TopicLayout } from '../assignors/assignor.ts'
import { AssignorError } from '../assignors/assignor-error.ts'
import { checkedAssignment } from '../assignors/check-assignment.ts'
import { groupMemberOf } from './consumer-protocol.ts'

export interface UnreadableMember {
  readonly memberId: string
  readonly error: KafkaError
}

/** The group as its leader sees it. A member whose subscription cannot be read gets nothing; the others go on. */
export function readMembers(joined: JoinGroupResponse): { members: GroupMember[]; unreadable: UnreadableMember[] } {
  const members: GroupMember[] = []
  const unreadable: UnreadableMember[] = []
  for (const { memberId, groupInstanceId, metadata } of joined.members) {
    try {
      members.push(groupMemberOf(memberId, groupInstanceId, metadata))
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      unreadable.push({ memberId, error })
      members.push({
        memberId,
        groupInstanceId,
        topics: [],
        ownedPartitions: [],
        generationId: -1,
        rackId: null,
        userData: null,
      })
    }
  }
  return { members, unreadable }
}

/** @throws {AssignorError} */
export function assignGroup(
  groupId: string,
  assignor: PartitionAssignor,
  topics: ReadonlyMap<string, TopicLayout>,
  members: readonly GroupMember[],
  protocol: RebalanceProtocol,
): Assignment {
  let decided: unknown
  try {
    decided = assignor.assign(topics, members)
  } catch (error) {
    throw new AssignorError(groupId, assignor.name, `threw ${nameAndMessageOf(error)}`, error)
  }
  return checkedAssignment({ groupId, assignor: assignor.name }, decided, topics, members, protocol)
}
