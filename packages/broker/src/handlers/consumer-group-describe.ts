/** ConsumerGroupDescribe v0-1 (v1 tells members of the classic protocol apart). Classic groups are not found here. */
import { ErrorCode } from '@millrace/protocol'
import {
  consumerGroupDescribeApi,
  type Assignment as AssignmentReply,
  type ConsumerGroupDescribeRequest,
  type ConsumerGroupDescribeResponse,
  type DescribedGroup,
  type Member,
} from '@millrace/protocol/apis/consumer-group-describe'
import type { ConsumerGroup } from '../consumer-groups/consumer-group.ts'
import type { ConsumerMember } from '../consumer-groups/consumer-member.ts'
import type { Handler } from '../core/handler.ts'
import type { TopicRegistry } from '../core/topic-registry.ts'
import { FAULT_MESSAGE, GROUPS, itemErrors } from '../faults/error-shape.ts'
import { GROUP_OPERATIONS, OPERATIONS_OMITTED } from './authorized-operations.ts'

/** By the protocol that the member speaks. */
const CLASSIC_MEMBER = 0
const CONSUMER_MEMBER = 1

export const consumerGroupDescribeHandler: Handler<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse> = {
  api: consumerGroupDescribeApi,
  minVersion: 0,
  maxVersion: 1,
  errors: itemErrors({
    ...GROUPS,
    items: ({ groupIds }) => groupIds,
    withItems: (request, groupIds) => ({ ...request, groupIds }),
    answers: ({ groups }) => groups,
    failed: (groupId, errorCode) => absent(groupId, errorCode, FAULT_MESSAGE),
  }),
  handle(request, { broker }) {
    const operations = request.includeAuthorizedOperations ? GROUP_OPERATIONS : OPERATIONS_OMITTED
    const [defaultAssignor] = broker.config.consumerGroupAssignors
    const groups = request.groupIds.map((groupId) => {
      if (groupId === '') return absent(groupId, ErrorCode.INVALID_GROUP_ID, null)
      const group = broker.groups.group(groupId)
      if (group === undefined) return absent(groupId, ErrorCode.GROUP_ID_NOT_FOUND, `Group ${groupId} not found.`)
      if (group.type === 'consumer') return describe(group, operations, defaultAssignor!, broker.topics)
      return absent(groupId, ErrorCode.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a consumer group.`)
    })
    return { throttleTimeMs: 0, groups }
  },
}

function absent(groupId: string, errorCode: number, errorMessage: string | null): DescribedGroup {
  return {
    errorCode,
    errorMessage,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
    authorizedOperations: OPERATIONS_OMITTED,
  }
}

function describe(group: ConsumerGroup, authorizedOperations: number, assignor: string, topics: TopicRegistry): DescribedGroup {
  return {
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    groupId: group.id,
    groupState: group.state,
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: group.preferredAssignor ?? assignor,
    members: [...group.members.values()].map((member) => describeMember(group, member, topics)),
    authorizedOperations,
  }
}

function describeMember(group: ConsumerGroup, member: ConsumerMember, topics: TopicRegistry): Member {
  return {
    memberId: member.id,
    instanceId: member.instanceId,
    rackId: member.rackId,
    memberEpoch: member.epoch,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: [...member.topicNames].toSorted(),
    subscribedTopicRegex: member.topicRegex,
    // It answers for what it is giving back until it has done so.
    assignment: assignmentReply([member.assigned, member.revoking], topics),
    targetAssignment: assignmentReply([group.target(member.id)], topics),
    memberType: member.classic === null ? CONSUMER_MEMBER : CLASSIC_MEMBER,
  }
}

/** Topics that are gone are left out. */
function assignmentReply(parts: Iterable<ReadonlyMap<string, PartitionKeys>>, topics: TopicRegistry): AssignmentReply {
  const byTopic = new Map<string, number[]>()
  for (const part of parts) {
    for (const [topicId, partitions] of part) byTopic.set(topicId, [...(byTopic.get(topicId) ?? []), ...partitions.keys()])
  }
  const topicPartitions = [...byTopic].flatMap(([topicId, partitions]) => {
    const topicName = topics.byId(topicId)?.name
    return topicName === undefined ? [] : [{ topicId, topicName, partitions: partitions.toSorted((a, b) => a - b) }]
  })
  return { topicPartitions }
}

interface PartitionKeys {
  keys(): Iterable<number>
}
