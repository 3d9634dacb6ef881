import { KafkaError } from '@millrace/protocol'
import { createTopicsApi } from '@millrace/protocol/apis/create-topics'
import { deleteGroupsApi } from '@millrace/protocol/apis/delete-groups'
import { deleteTopicsApi } from '@millrace/protocol/apis/delete-topics'
import { describeConfigsApi } from '@millrace/protocol/apis/describe-configs'
import { describeGroupsApi } from '@millrace/protocol/apis/describe-groups'
import { describeTopicPartitionsApi } from '@millrace/protocol/apis/describe-topic-partitions'
import { encodeConsumerProtocolAssignment } from '@millrace/protocol/apis/consumer-protocol-assignment'
import { listGroupsApi } from '@millrace/protocol/apis/list-groups'
import { listOffsetsApi } from '@millrace/protocol/apis/list-offsets'
import { Writer } from '@millrace/protocol/internal'
import { afterEach, expect, test } from 'vitest'
import { ScriptedCluster, type ScriptedBroker } from '../../client/test/scripted-network.ts'
import { Admin, type AdminOptions } from '../src/admin.ts'

const admins: Admin[] = []

afterEach(async () => {
  for (const admin of admins.splice(0)) await admin.close()
})

function adminOf(cluster: ScriptedCluster, options: Partial<AdminOptions> = {}): Admin {
  const admin = new Admin({ bootstrapServers: cluster.bootstrapServers, ...options }, cluster.network)
  admins.push(admin)
  return admin
}

/** Answers ListOffsets for the partitions that the broker leads with 100 × its id + the partition, and refuses the others. */
function servesOffsets(cluster: ScriptedCluster, broker: ScriptedBroker): void {
  broker.on(listOffsetsApi, (request) => ({
    throttleTimeMs: 0,
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => {
        const leads = cluster.topics.find((topic) => topic.name === name)!.leaders[partitionIndex]![0] === broker.id
        const offset = leads ? BigInt(100 * broker.id + partitionIndex) : -1n
        return { partitionIndex, errorCode: leads ? 0 : 6, timestamp: -1n, offset, leaderEpoch: 0 }
      }),
    })),
  }))
}

test('offsets are asked from each partition’s leader, and again from the new one where it moved', async () => {
  const cluster = new ScriptedCluster([1, 2])
  cluster.topics = [
    {
      name: 't',
      leaders: [
        [1, 0],
        [2, 0],
        [1, 0],
      ],
    },
  ]
  for (const broker of cluster.brokers) servesOffsets(cluster, broker)
  const admin = adminOf(cluster)
  const specs = [0, 1, 2].map((partition) => ({ topic: 't', partition, spec: 'latest' as const }))
  const first = await cluster.network.clock.settle(admin.listOffsets(specs))
  expect(specs.map(({ partition }) => first.get(`t-${partition}`).offset)).toEqual([100, 201, 102])
  cluster.topics = [
    {
      name: 't',
      leaders: [
        [2, 1],
        [2, 0],
        [1, 0],
      ],
    },
  ]
  const second = await cluster.network.clock.settle(admin.listOffsets(specs))
  expect(specs.map(({ partition }) => second.get(`t-${partition}`).offset)).toEqual([200, 201, 102])
})

test('a leader that stays away fails its own partitions when the time is over, and no others', async () => {
  const cluster = new ScriptedCluster([1, 2])
  cluster.topics = [
    {
      name: 't',
      leaders: [
        [1, 0],
        [2, 0],
      ],
    },
  ]
  servesOffsets(cluster, cluster.broker(1))
  const admin = adminOf(cluster)
  await cluster.network.clock.settle(admin.describeTopics(['t']).catch(() => {}))
  cluster.broker(2).stop()
  const specs = [0, 1].map((partition) => ({ topic: 't', partition, spec: 'latest' as const }))
  const startedAt = cluster.network.clock.now()
  const results = await cluster.network.clock.settle(admin.listOffsets(specs, { timeoutMs: 3_000, throwOnFailure: false }))
  expect(results.get('t-0').offset).toBe(100)
  expect(results.error('t-1')).toMatchObject({ code: 'API_TIMED_OUT', cause: { code: 'CONNECTION_FAILED' } })
  expect(cluster.network.clock.now() - startedAt).toBeLessThanOrEqual(3_000)
})

test('a partition that the leader’s answer leaves out has an error', async () => {
  const cluster = new ScriptedCluster([1])
  cluster.topics = [
    {
      name: 't',
      leaders: [
        [1, 0],
        [1, 0],
      ],
    },
  ]
  cluster.broker(1).on(listOffsetsApi, () => ({
    throttleTimeMs: 0,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, errorCode: 0, timestamp: -1n, offset: 5n, leaderEpoch: 0 }] }],
  }))
  const specs = [0, 1].map((partition) => ({ topic: 't', partition, spec: 'latest' as const }))
  const results = await cluster.network.clock.settle(adminOf(cluster).listOffsets(specs, { throwOnFailure: false }))
  expect(results.get('t-0').offset).toBe(5)
  expect(results.error('t-1')?.code).toBe('MISSING_FROM_RESPONSE')
})

test('an offset that no number holds exactly is an error, not a wrong number', async () => {
  const cluster = new ScriptedCluster([1])
  cluster.topics = [{ name: 't', leaders: [[1, 0]] }]
  cluster.broker(1).on(listOffsetsApi, () => ({
    throttleTimeMs: 0,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, errorCode: 0, timestamp: -1n, offset: 2n ** 60n, leaderEpoch: 0 }] }],
  }))
  const call = adminOf(cluster).listOffsets([{ topic: 't', partition: 0, spec: 'latest' }])
  await expect(cluster.network.clock.settle(call)).rejects.toMatchObject({ code: 'VALUE_OUT_OF_RANGE' })
})

test('a topic that the answer leaves out has an error', async () => {
  const cluster = new ScriptedCluster([1])
  const answered = { name: 'a', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', errorCode: 0, errorMessage: null }
  cluster.broker(1).on(deleteTopicsApi, () => ({ throttleTimeMs: 0, responses: [answered] }))
  const results = await cluster.network.clock.settle(adminOf(cluster).deleteTopics(['a', 'b'], { throwOnFailure: false }))
  expect(results.error('a')).toBeNull()
  expect(results.error('b')?.code).toBe('MISSING_FROM_RESPONSE')
})

test('creating topics follows the controller', async () => {
  const cluster = new ScriptedCluster([1, 2])
  const seen: number[] = []
  for (const broker of cluster.brokers) {
    broker.on(createTopicsApi, (request) => {
      seen.push(broker.id)
      const errorCode = broker.id === cluster.controllerId ? 0 : 41
      const result = { topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', errorCode, errorMessage: null, topicConfigErrorCode: 0 }
      const topics = request.topics.map(({ name }) => ({
        ...result,
        name,
        numPartitions: 1,
        replicationFactor: 1,
        configs: null,
      }))
      return { throttleTimeMs: 0, topics }
    })
  }
  const admin = adminOf(cluster)
  await cluster.network.clock.settle(admin.createTopics([{ name: 'a' }]))
  cluster.controllerId = 2
  const created = await cluster.network.clock.settle(admin.createTopics([{ name: 'b' }]))
  expect(created.get('b').configs).toBeNull()
  expect(seen.at(0)).toBe(1)
  expect(seen.at(-1)).toBe(2)
})

test('topics with many partitions are described page by page, and put together', async () => {
  const cluster = new ScriptedCluster([1])
  const sizes: Record<string, number> = { b: 5, a: 3 }
  const pages: string[][] = []
  cluster.broker(1).on(describeTopicPartitionsApi, (request) => {
    pages.push(request.topics.map(({ name }) => name))
    const topics = []
    let left = 2
    let nextCursor = null
    for (const { name } of request.topics) {
      const from = request.cursor?.topicName === name ? request.cursor.partitionIndex : 0
      const count = Math.min(left, sizes[name]! - from)
      left -= count
      const partitions = Array.from({ length: count }, (_, index) => ({
        errorCode: 0,
        partitionIndex: from + index,
        leaderId: 1,
        leaderEpoch: 0,
        replicaNodes: [1],
        isrNodes: [1],
        eligibleLeaderReplicas: null,
        lastKnownElr: null,
        offlineReplicas: [],
      }))
      topics.push({
        errorCode: 0,
        name,
        topicId: 'AAAAAAAAAAAAAAAAAAAAAQ',
        isInternal: false,
        partitions,
        topicAuthorizedOperations: 0,
      })
      if (from + count < sizes[name]!) {
        nextCursor = { topicName: name, partitionIndex: from + count }
        break
      }
    }
    return { throttleTimeMs: 0, topics, nextCursor }
  })
  const topics = await cluster.network.clock.settle(adminOf(cluster).describeTopics(['b', 'a']))
  expect(topics.get('a').partitions.map(({ partition }) => partition)).toEqual([0, 1, 2])
  expect(topics.get('b').partitions.map(({ partition }) => partition)).toEqual([0, 1, 2, 3, 4])
  expect([...topics.values.keys()]).toEqual(['b', 'a'])
  expect(pages).toEqual([['a', 'b'], ['a', 'b'], ['b'], ['b']])
})

test('a broker without DescribeTopicPartitions is asked for metadata', async () => {
  const cluster = new ScriptedCluster([1])
  cluster.topics = [
    {
      name: 't',
      leaders: [
        [1, 3],
        [-1, 4],
      ],
    },
  ]
  const topics = await cluster.network.clock.settle(adminOf(cluster).describeTopics(['t', 'missing'], { throwOnFailure: false }))
  expect(topics.get('t').partitions.map(({ leader, leaderEpoch }) => [leader, leaderEpoch])).toEqual([
    [1, 3],
    [null, 4],
  ])
  expect(topics.error('missing')?.code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
})

test('groups are asked for from every broker; one that fails is not passed over in silence', async () => {
  const cluster = new ScriptedCluster([1, 2, 3])
  for (const broker of cluster.brokers) {
    const group = { groupId: `g${broker.id}`, protocolType: 'consumer', groupState: 'Stable', groupType: 'classic' }
    broker.on(listGroupsApi, () => ({
      throttleTimeMs: 0,
      errorCode: broker.id === 3 ? 30 : 0,
      groups: broker.id === 3 ? [] : [group],
    }))
  }
  const admin = adminOf(cluster)
  await expect(cluster.network.clock.settle(admin.listGroups())).rejects.toMatchObject({ code: 'GROUP_AUTHORIZATION_FAILED' })
  const { groups, errors } = await cluster.network.clock.settle(admin.listGroups({ throwOnFailure: false }))
  expect(groups.map(({ groupId }) => groupId)).toEqual(['g1', 'g2'])
  expect([...errors.keys()]).toEqual([3])
})

test('each group goes to its own coordinator, also when that moves', async () => {
  const cluster = new ScriptedCluster([1, 2])
  cluster.coordinators.set('a', 1).set('b', 2)
  const seen: string[] = []
  for (const broker of cluster.brokers) {
    broker.on(deleteGroupsApi, (request) => {
      const groupId = request.groupsNames[0]!
      seen.push(`${groupId}@${broker.id}`)
      const errorCode = cluster.coordinators.get(groupId) === broker.id ? 0 : 16
      return { throttleTimeMs: 0, results: [{ groupId, errorCode, errorMessage: null }] }
    })
  }
  const admin = adminOf(cluster)
  await cluster.network.clock.settle(admin.deleteGroups(['a', 'b']))
  expect(seen.toSorted()).toEqual(['a@1', 'b@2'])
  cluster.coordinators.set('a', 2)
  await cluster.network.clock.settle(admin.deleteGroups(['a']))
  expect(seen.slice(2)).toEqual(['a@1', 'a@2'])
})

test('the members of a classic group have the partitions that their leader assigned, where we can read them', async () => {
  const cluster = new ScriptedCluster([1])
  const writer = new Writer()
  writer.int16(1)
  encodeConsumerProtocolAssignment(writer, { assignedPartitions: [{ topic: 't', partitions: [2, 0] }], userData: null }, 1)
  const memberAssignment = writer.toBuffer()
  cluster.broker(1).on(describeGroupsApi, (request) => ({
    throttleTimeMs: 0,
    groups: request.groups.map((groupId) => ({
      errorCode: 0,
      errorMessage: null,
      groupId,
      groupState: groupId === 'gone' ? 'Dead' : 'Stable',
      protocolType: groupId === 'workers' ? 'connect' : 'consumer',
      protocolData: 'range',
      members: [
        {
          memberId: 'm',
          groupInstanceId: 'i',
          clientId: 'c',
          clientHost: '/1.2.3.4',
          memberMetadata: Buffer.alloc(0),
          memberAssignment,
        },
      ],
      authorizedOperations: 0,
    })),
  }))
  const groups = await cluster.network.clock.settle(
    adminOf(cluster).describeGroups(['readers', 'workers', 'gone'], { throwOnFailure: false }),
  )
  const member = { memberId: 'm', groupInstanceId: 'i', clientId: 'c', clientHost: '/1.2.3.4' }
  expect(groups.get('readers')).toMatchObject({ type: 'classic', partitionAssignor: 'range', coordinator: 1 })
  expect(groups.get('readers').members).toEqual([
    {
      ...member,
      assignment: [
        { topic: 't', partition: 2 },
        { topic: 't', partition: 0 },
      ],
    },
  ])
  expect(groups.get('workers').members).toEqual([{ ...member, assignment: null }])
  expect(groups.error('gone')?.code).toBe('GROUP_ID_NOT_FOUND')
})

test('a member whose assignment is garbage fails its own group with a typed error', async () => {
  const cluster = new ScriptedCluster([1])
  cluster.broker(1).on(describeGroupsApi, (request) => ({
    throttleTimeMs: 0,
    groups: request.groups.map((groupId) => ({
      errorCode: 0,
      errorMessage: null,
      groupId,
      groupState: 'Stable',
      protocolType: 'consumer',
      protocolData: 'range',
      members: [
        {
          memberId: 'm',
          groupInstanceId: null,
          clientId: 'c',
          clientHost: '/',
          memberMetadata: Buffer.alloc(0),
          memberAssignment: groupId === 'bad' ? Buffer.from([0, 1, 0xff, 0xff, 0xff]) : Buffer.alloc(0),
        },
      ],
      authorizedOperations: 0,
    })),
  }))
  const groups = await cluster.network.clock.settle(adminOf(cluster).describeGroups(['bad', 'good'], { throwOnFailure: false }))
  expect(groups.error('bad')).toBeInstanceOf(KafkaError)
  expect(groups.get('good').members[0]!.assignment).toEqual([])
})

test('a broker’s configs are asked from that broker; one that cannot be reached fails alone', async () => {
  const cluster = new ScriptedCluster([1, 2])
  for (const broker of cluster.brokers) {
    broker.on(describeConfigsApi, (request) => ({
      throttleTimeMs: 0,
      results: request.resources.map(({ resourceType, resourceName }) => ({
        errorCode: 0,
        errorMessage: null,
        resourceType,
        resourceName,
        configs: [
          {
            name: 'said.by',
            value: String(broker.id),
            readOnly: false,
            configSource: 4,
            isSensitive: false,
            synonyms: [],
            configType: 3,
            documentation: '',
          },
        ],
      })),
    }))
  }
  const admin = adminOf(cluster)
  const resources = [1, 2].map((id) => ({ type: 'broker' as const, name: String(id) }))
  const configs = await cluster.network.clock.settle(admin.describeConfigs(resources))
  expect(resources.map(({ name }) => configs.get(`broker:${name}`).get('said.by')!.value)).toEqual(['1', '2'])
  cluster.broker(2).stop()
  const results = await cluster.network.clock.settle(
    admin.describeConfigs(resources, { timeoutMs: 2_000, throwOnFailure: false }),
  )
  expect(results.get('broker:1').get('said.by')).toMatchObject({ source: 'staticBroker', type: 'int', documentation: null })
  expect(results.error('broker:2')?.code).toBe('API_TIMED_OUT')
})

test('when every broker goes away, what was learned before is kept and the rest says why', async () => {
  const cluster = new ScriptedCluster([1, 2])
  cluster.topics = [
    {
      name: 't',
      leaders: [
        [1, 0],
        [2, 0],
      ],
    },
  ]
  servesOffsets(cluster, cluster.broker(1))
  cluster.broker(2).on(listOffsetsApi, () => {
    for (const broker of cluster.brokers) broker.stop()
    return 'silence'
  })
  const specs = [0, 1].map((partition) => ({ topic: 't', partition, spec: 'latest' as const }))
  const call = adminOf(cluster).listOffsets(specs, { timeoutMs: 5_000, throwOnFailure: false })
  const results = await cluster.network.clock.settle(call)
  expect(results.get('t-0').offset).toBe(100)
  expect(results.error('t-1')).toMatchObject({ code: 'API_TIMED_OUT', cause: { code: 'BOOTSTRAP_FAILED' } })
})

test('a timeout is for all pages of a description together', async () => {
  const cluster = new ScriptedCluster([1])
  cluster.broker(1).on(describeTopicPartitionsApi, () => ({
    throttleTimeMs: 0,
    topics: [],
    nextCursor: { topicName: 't', partitionIndex: 1 },
  }))
  const startedAt = cluster.network.clock.now()
  const error = await cluster.network.clock.settle(
    adminOf(cluster)
      .describeTopics(['t'], { timeoutMs: 1_000 })
      .catch((failure: unknown) => failure),
  )
  expect(error).toMatchObject({ code: 'API_TIMED_OUT' })
  expect(cluster.network.clock.now() - startedAt).toBeLessThan(1_200)
})
