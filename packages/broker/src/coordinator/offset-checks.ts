import { ErrorCode } from '@millrace/protocol'
import type { OffsetCommitRequest } from '@millrace/protocol/apis/offset-commit'
import type { ConsumerGroup } from '../consumer-groups/consumer-group.ts'
import type { ConsumerMember } from '../consumer-groups/consumer-member.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { Group, OffsetToCommit } from './group-coordinator.ts'

/** Since v9 an unknown group has an error of its own (KIP-848); before, the client is told to rejoin. */
const GROUP_NOT_FOUND_SINCE = 9
/** Members of the consumer protocol must be able to read the errors of this version. */
const MEMBER_EPOCH_SINCE = 9

type Committer = Pick<OffsetCommitRequest, 'generationIdOrMemberEpoch' | 'memberId' | 'groupInstanceId'>

/** Whether the sender may commit these; NONE or the error for all of them. */
export function checkCommit(
  group: Group | undefined,
  committer: Committer,
  commits: readonly OffsetToCommit[],
  version: number,
): number {
  if (group === undefined) return checkNewGroup(committer, version)
  return group.type === 'classic' ? checkClassic(group, committer) : checkConsumer(group, committer, commits, version)
}

/**
 * Whether the member may read the group's commits. Who does not say who it is may; a member in an older epoch would take over from
 * a state that is not its own (ConsumerGroup.validateOffsetFetch).
 */
export function checkFetch(group: Group | undefined, memberId: string | null, memberEpoch: number): number {
  if (group?.type !== 'consumer' || (memberId === null && memberEpoch < 0)) return ErrorCode.NONE
  const member = group.members.get(memberId ?? '')
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  return memberEpoch === member.epoch ? ErrorCode.NONE : staleError(member)
}

/** Without membership a commit makes the group; a generation of a group that is not there is an old one. */
function checkNewGroup({ generationIdOrMemberEpoch }: Committer, version: number): number {
  if (generationIdOrMemberEpoch < 0) return ErrorCode.NONE
  return version >= GROUP_NOT_FOUND_SINCE ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.ILLEGAL_GENERATION
}

/** A member commits in its generation; generation -1 is for groups without members (ClassicGroup.validateOffsetCommit). */
function checkClassic(group: ClassicGroup, committer: Committer): number {
  const { generationIdOrMemberEpoch: generation, memberId, groupInstanceId } = committer
  if (generation < 0 && group.state === 'Empty') return ErrorCode.NONE
  if (generation >= 0 || memberId !== '' || groupInstanceId !== null) {
    const error = group.validateMember(memberId, groupInstanceId)
    if (error !== ErrorCode.NONE) return error
    if (generation !== group.generation) return ErrorCode.ILLEGAL_GENERATION
  } else if (group.state !== 'Empty') {
    return ErrorCode.UNKNOWN_MEMBER_ID
  }
  // It knows the new generation, so it has been told to sync: let it do that first.
  return group.state === 'CompletingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
}

/**
 * A member commits in its epoch, or in an older one in which it had the partitions already: what it handled is its own as long as it has them
 * (KIP-1251, ConsumerGroup.validateOffsetCommit).
 */
function checkConsumer(group: ConsumerGroup, committer: Committer, commits: readonly OffsetToCommit[], version: number): number {
  const { generationIdOrMemberEpoch: epoch, memberId } = committer
  if (epoch < 0 && group.isEmpty) return ErrorCode.NONE
  const member = group.members.get(memberId)
  if (member === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  if (member.classic === null && version < MEMBER_EPOCH_SINCE) return ErrorCode.UNSUPPORTED_VERSION
  if (epoch === member.epoch) return ErrorCode.NONE
  if (epoch > member.epoch) return staleError(member)
  const hadAll = commits.every(({ partition, commit }) => {
    const held = member.assigned.get(commit.topicId)?.get(partition) ?? member.revoking.get(commit.topicId)?.get(partition)
    return held !== undefined && epoch >= held
  })
  return hadAll ? ErrorCode.NONE : staleError(member)
}

function staleError(member: ConsumerMember): number {
  return member.classic === null ? ErrorCode.STALE_MEMBER_EPOCH : ErrorCode.ILLEGAL_GENERATION
}
