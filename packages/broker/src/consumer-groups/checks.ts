import { ErrorCode } from '@millrace/protocol'
import type { ConsumerGroupHeartbeatRequest } from '@millrace/protocol/apis/consumer-group-heartbeat'
import { holdsAll, type TopicPartitions } from './assignment.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import { LEAVE_EPOCH, STATIC_LEAVE_EPOCH, type ConsumerMember } from './consumer-member.ts'
import { GroupError } from './group-error.ts'

/** From v1 on the member makes its own id (KIP-1082). */
const MEMBER_ID_REQUIRED_SINCE = 1

/** GroupCoordinatorService.throwIfConsumerGroupHeartbeatRequestIsInvalid. Throws GroupError. */
export function checkHeartbeat(request: ConsumerGroupHeartbeatRequest, version: number, assignors: readonly string[]): void {
  const { memberEpoch, memberId, serverAssignor } = request
  const needsId = version >= MEMBER_ID_REQUIRED_SINCE || memberEpoch > 0 || memberEpoch === LEAVE_EPOCH
  require(!needsId || !isBlank(memberId), "MemberId can't be empty.")
  require(!isBlank(request.groupId), "GroupId can't be empty.")
  require(!isBlank(request.instanceId), "InstanceId can't be empty.")
  require(!isBlank(request.rackId), "RackId can't be empty.")
  if (memberEpoch === 0) {
    require(request.rebalanceTimeoutMs !== -1, 'RebalanceTimeoutMs must be provided in first request.')
    require(request.topicPartitions?.length === 0, 'TopicPartitions must be empty when (re-)joining.')
    const subscribes = request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null
    require(subscribes, 'Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.')
  } else if (memberEpoch === STATIC_LEAVE_EPOCH) {
    require(request.instanceId !== null, "InstanceId can't be null.")
  } else {
    require(memberEpoch > STATIC_LEAVE_EPOCH, 'MemberEpoch is invalid.')
  }
  if (serverAssignor === null || assignors.includes(serverAssignor)) return
  const message = `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ${assignors.join(', ')}.`
  throw new GroupError(ErrorCode.UNSUPPORTED_ASSIGNOR, message)
}

function isBlank(text: string | null): boolean {
  return text !== null && text.trim() === ''
}

function require(holds: boolean, message: string): void {
  if (!holds) throw new GroupError(ErrorCode.INVALID_REQUEST, message)
}

/** Throws GroupError. */
export function checkRoom(group: ConsumerGroup, memberId: string, maxSize: number): void {
  if (group.members.size < maxSize || group.members.has(memberId)) return
  const message = `The consumer group has reached its maximum capacity of ${maxSize} members.`
  throw new GroupError(ErrorCode.GROUP_MAX_SIZE_REACHED, message)
}

/** A member may come in its epoch, to join anew, or in the epoch before if the reply to its last heartbeat was lost. Throws GroupError. */
export function checkEpoch(member: ConsumerMember, epoch: number, owned: readonly TopicPartitions[] | null): void {
  if (epoch === 0 || epoch === member.epoch) return
  const repeats = epoch === member.previousEpoch && owned !== null && holdsAll(member.assigned, owned)
  if (epoch < member.epoch && repeats) return
  const compared = epoch > member.epoch ? 'greater' : 'smaller'
  const message =
    `The consumer group member has a ${compared} member epoch (${epoch}) than the one known by the group coordinator ` +
    `(${member.epoch}). The member must abandon all its partitions and rejoin.`
  throw new GroupError(ErrorCode.FENCED_MEMBER_EPOCH, message)
}

/** The member of that id, or GroupError. */
export function knownMember(group: ConsumerGroup, memberId: string): ConsumerMember {
  const member = group.members.get(memberId)
  if (member !== undefined) return member
  throw new GroupError(ErrorCode.UNKNOWN_MEMBER_ID, `Member ${memberId} is not a member of group ${group.id}.`)
}

/** The static member, if it goes by that id; else GroupError. */
export function knownInstance(group: ConsumerGroup, instanceId: string, memberId: string): ConsumerMember {
  const member = group.staticMember(instanceId)
  if (member === undefined) throw new GroupError(ErrorCode.UNKNOWN_MEMBER_ID, `Instance id ${instanceId} is unknown.`)
  if (member.id === memberId) return member
  const message = `Static member ${memberId} with instance id ${instanceId} was fenced by member ${member.id}.`
  throw new GroupError(ErrorCode.FENCED_INSTANCE_ID, message)
}
