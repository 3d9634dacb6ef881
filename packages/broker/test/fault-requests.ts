import { ZERO_UUID } from '@millrace/protocol'
import { sampleRequest } from './sample-requests.ts'

/** For each API, what a request that names two topics, two groups or one of each differs in from the sample. */
export function namingRequest(api: string, version: number, ids: readonly [string, string]): unknown {
  const sample = sampleRequest(api, version) as Record<string, unknown>
  const fill = FILL[api]
  return fill === undefined ? sample : { ...sample, ...fill(version, ids) }
}

const NAMES = ['orders', 'payments'] as const
/** Topics, and groups of other names. */
const RESOURCES = [
  ...NAMES.map((resourceName) => ({ resourceType: 2, resourceName })),
  ...['g', 'h'].map((resourceName) => ({ resourceType: 32, resourceName })),
]

function topics<T>(
  byId: boolean,
  ids: readonly [string, string],
  rest: (i: number) => T,
): (T & { name: string; topicId: string })[] {
  return NAMES.map((name, i) => ({ name: byId ? '' : name, topicId: byId ? ids[i]! : ZERO_UUID, ...rest(i) }))
}

type Fill = (version: number, ids: readonly [string, string]) => object

const FILL: Readonly<Record<string, Fill>> = {
  Produce: (version, ids) => ({
    topicData: topics(version >= 13, ids, () => ({ partitionData: [0, 1].map((index) => ({ index, records: null })) })),
  }),
  Fetch: (version, ids) => ({
    topics: topics(version >= 13, ids, () => ({ partitions: [0, 1].map(fetchPartition) })).map((one) => ({
      ...one,
      topic: one.name,
    })),
  }),
  ListOffsets: () => ({
    topics: NAMES.map((name) => ({
      name,
      partitions: [0, 1].map((partitionIndex) => ({ partitionIndex, currentLeaderEpoch: -1, timestamp: -1n })),
    })),
  }),
  Metadata: () => ({ topics: NAMES.map((name) => ({ name, topicId: ZERO_UUID })) }),
  OffsetCommit: (version, ids) => ({
    topics: topics(version >= 10, ids, () => ({
      partitions: [0, 1].map((partitionIndex) => ({
        partitionIndex,
        committedOffset: 5n,
        committedLeaderEpoch: -1,
        committedMetadata: null,
      })),
    })),
  }),
  OffsetFetch: (version, ids) => {
    if (version < 8) return { groupId: 'g', topics: NAMES.map((name) => ({ name, partitionIndexes: [0, 1] })) }
    const asked = topics(version >= 10, ids, () => ({ partitionIndexes: [0, 1] }))
    return { groups: ['g', 'h'].map((groupId) => ({ groupId, memberId: null, memberEpoch: -1, topics: asked })) }
  },
  FindCoordinator: (version) => (version < 4 ? { key: 'g' } : { coordinatorKeys: ['g', 'h'] }),
  DescribeGroups: () => ({ groups: ['g', 'h'] }),
  DeleteGroups: () => ({ groupsNames: ['g', 'h'] }),
  CreateTopics: () => ({
    topics: NAMES.map((name) => ({ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] })),
  }),
  DeleteTopics: (version) =>
    version < 6 ? { topicNames: [...NAMES] } : { topics: NAMES.map((name) => ({ name, topicId: ZERO_UUID })) },
  CreatePartitions: () => ({ topics: NAMES.map((name) => ({ name, count: 3, assignments: null })) }),
  DeleteRecords: () => ({
    topics: NAMES.map((name) => ({ name, partitions: [0, 1].map((partitionIndex) => ({ partitionIndex, offset: 0n })) })),
  }),
  OffsetForLeaderEpoch: () => ({
    topics: NAMES.map((topic) => ({
      topic,
      partitions: [0, 1].map((partition) => ({ partition, currentLeaderEpoch: -1, leaderEpoch: 0 })),
    })),
  }),
  DescribeConfigs: () => ({
    resources: RESOURCES.map((resource) => ({ ...resource, configurationKeys: null })),
  }),
  AlterConfigs: () => ({
    resources: RESOURCES.map((resource) => ({ ...resource, configs: [] })),
  }),
  IncrementalAlterConfigs: () => ({
    resources: RESOURCES.map((resource) => ({ ...resource, configs: [] })),
  }),
  OffsetDelete: () => ({
    topics: NAMES.map((name) => ({ name, partitions: [0, 1].map((partitionIndex) => ({ partitionIndex })) })),
  }),
  DescribeTopicPartitions: () => ({ topics: NAMES.map((name) => ({ name })) }),
}

function fetchPartition(partition: number): object {
  return {
    partition,
    currentLeaderEpoch: -1,
    fetchOffset: 0n,
    lastFetchedEpoch: -1,
    logStartOffset: -1n,
    partitionMaxBytes: 1024,
    replicaDirectoryId: ZERO_UUID,
    highWatermark: 9_223_372_036_854_775_807n,
  }
}

/** Every error code in a reply, wherever it stands, with what has it: `orders-1`, `orders`, `g`, or '' for the reply itself. */
export function errorsIn(reply: object, nameOf: (topicId: string) => string): Map<string, number> {
  const found = new Map<string, number>()
  const visit = (value: unknown, within: string): void => {
    if (Array.isArray(value)) return value.forEach((one) => visit(one, within))
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return
    const fields = value as Readonly<Record<string, unknown>>
    const name = fields['name'] ?? fields['topic'] ?? fields['resourceName'] ?? fields['groupId'] ?? fields['key']
    const topicId = fields['topicId']
    let here = within
    if (typeof name === 'string' && name !== '') here = name
    else if (typeof topicId === 'string' && topicId !== ZERO_UUID) here = nameOf(topicId)
    const index = fields['index'] ?? fields['partitionIndex'] ?? fields['partition']
    if (typeof index === 'number') here = `${within}-${index}`
    if (typeof fields['errorCode'] === 'number') found.set(here, fields['errorCode'])
    for (const field of Object.values(fields)) visit(field, here)
  }
  visit(reply, '')
  return found
}
