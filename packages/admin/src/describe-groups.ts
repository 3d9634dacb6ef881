import { ErrorCode, KafkaError } from '@millrace/protocol'
import { Reader } from '@millrace/protocol/internal'
import {
  consumerGroupDescribeApi,
  type Assignment,
  type DescribedGroup as DescribedConsumerGroup,
} from '@millrace/protocol/apis/consumer-group-describe'
import {
  CONSUMER_PROTOCOL_ASSIGNMENT_MAX_VERSION,
  decodeConsumerProtocolAssignment,
} from '@millrace/protocol/apis/consumer-protocol-assignment'
import { describeGroupsApi, type DescribedGroup } from '@millrace/protocol/apis/describe-groups'
import { errorAbout, type ClusterClient } from '@millrace/client/internal'
import {
  checkNames,
  checkOptions,
  finish,
  ITEM_FLAGS,
  waitsOf,
  type ItemCallOptions,
  type TopicPartition,
  type Wait,
} from './context.ts'
import { perGroup } from './groups.ts'
import { ResultCollector, type ItemResults } from './item-results.ts'

const CONSUMER_PROTOCOL_TYPE = 'consumer'
const DEAD = 'Dead'

export interface GroupDescription {
  readonly groupId: string
  /** `'classic'`: JoinGroup and SyncGroup. `'consumer'`: KIP-848. */
  readonly type: 'classic' | 'consumer'
  /** `Stable`, `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Assigning`, `Reconciling`, … */
  readonly state: string
  /** What the members are: `'consumer'`, `'connect'`, …; empty for a group without members. */
  readonly protocolType: string
  /** The assignor that the group uses; empty for a group without members. */
  readonly partitionAssignor: string
  /** The coordinator's node id. */
  readonly coordinator: number
  readonly members: readonly MemberDescription[]
}

export interface MemberDescription {
  readonly memberId: string
  /** null unless the member is static. */
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** The partitions that the member has; null if its protocol is not the consumers', so that we cannot read them. */
  readonly assignment: readonly TopicPartition[] | null
}

/** See `Admin.describeGroups`. */
export async function describeGroups(
  client: ClusterClient,
  groupIds: readonly string[],
  options: ItemCallOptions,
): Promise<ItemResults<GroupDescription>> {
  checkOptions(options, ITEM_FLAGS)
  checkNames('group', groupIds)
  const nextWait = waitsOf(client, options)
  const collector = new ResultCollector<GroupDescription>(groupIds)
  await perGroup(groupIds, collector, async (groupId) => {
    const description =
      (await describeConsumerGroup(client, groupId, nextWait)) ?? (await describeClassicGroup(client, groupId, nextWait))
    collector.succeed(groupId, description)
  })
  return finish(collector, options)
}

/** As Java does: the newer protocol first; null if the broker lacks it or the group is not of that kind. */
async function describeConsumerGroup(
  client: ClusterClient,
  group: string,
  nextWait: () => Wait,
): Promise<GroupDescription | null> {
  let described: DescribedConsumerGroup | undefined
  try {
    const request = { groupIds: [group], includeAuthorizedOperations: false }
    const response = await client.send(
      consumerGroupDescribeApi,
      request,
      { group },
      {
        ...nextWait(),
        errorOf: ({ groups }) => groups[0]?.errorCode ?? ErrorCode.NONE,
      },
    )
    described = response.groups.find(({ groupId }) => groupId === group)
  } catch (error) {
    if (error instanceof KafkaError && error.code === 'UNSUPPORTED_VERSION') return null
    throw error
  }
  if (described === undefined || described.errorCode === ErrorCode.GROUP_ID_NOT_FOUND) return null
  if (described.errorCode === ErrorCode.UNSUPPORTED_VERSION) return null
  if (described.errorCode !== ErrorCode.NONE) throw errorAbout(described.errorCode, `group ${group}`, described.errorMessage)
  return {
    groupId: group,
    type: 'consumer',
    state: described.groupState,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    partitionAssignor: described.assignorName,
    coordinator: await client.coordinatorFor('group', group, nextWait()),
    members: described.members.map(({ memberId, instanceId, clientId, clientHost, assignment }) => ({
      memberId,
      groupInstanceId: instanceId,
      clientId,
      clientHost,
      assignment: partitionsOf(assignment),
    })),
  }
}

async function describeClassicGroup(client: ClusterClient, group: string, nextWait: () => Wait): Promise<GroupDescription> {
  const response = await client.send(
    describeGroupsApi,
    { groups: [group], includeAuthorizedOperations: false },
    { group },
    {
      ...nextWait(),
      errorOf: ({ groups }) => groups[0]?.errorCode ?? ErrorCode.NONE,
    },
  )
  const described = response.groups.find(({ groupId }) => groupId === group)
  if (described === undefined) throw new KafkaError('MISSING_FROM_RESPONSE', `the broker's answer says nothing about ${group}`)
  if (described.errorCode !== ErrorCode.NONE) throw errorAbout(described.errorCode, `group ${group}`, described.errorMessage)
  // Before version 6 (KIP-1043) a group that does not exist is said to be dead.
  if (described.groupState === DEAD) throw errorAbout(ErrorCode.GROUP_ID_NOT_FOUND, `group ${group}`)
  const coordinator = await client.coordinatorFor('group', group, nextWait())
  return { ...classicDescription(described), coordinator }
}

function classicDescription(group: DescribedGroup): Omit<GroupDescription, 'coordinator'> {
  const canRead = group.protocolType === CONSUMER_PROTOCOL_TYPE
  return {
    groupId: group.groupId,
    type: 'classic',
    state: group.groupState,
    protocolType: group.protocolType,
    partitionAssignor: group.protocolData,
    members: group.members.map(({ memberId, groupInstanceId, clientId, clientHost, memberAssignment }) => ({
      memberId,
      groupInstanceId,
      clientId,
      clientHost,
      assignment: canRead ? classicAssignment(memberAssignment) : null,
    })),
  }
}

/** What the group's leader assigned: a version, then the consumers' own format. Empty while the group rebalances. */
function classicAssignment(bytes: Buffer): TopicPartition[] {
  if (bytes.length === 0) return []
  const reader = new Reader(bytes)
  const version = Math.min(reader.int16(), CONSUMER_PROTOCOL_ASSIGNMENT_MAX_VERSION)
  const { assignedPartitions } = decodeConsumerProtocolAssignment(reader, version)
  return assignedPartitions.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
}

function partitionsOf({ topicPartitions }: Assignment): TopicPartition[] {
  return topicPartitions.flatMap(({ topicName, partitions }) => partitions.map((partition) => ({ topic: topicName, partition })))
}
