const topic = { name: 'orders', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }

/** A well-formed request for each API that the broker serves, that every version can carry and that is answered at once. */
export const sampleRequests: Readonly<Record<string, unknown>> = {
  Produce: { transactionalId: null, acks: 1, timeoutMs: 1000, topicData: [] },
  Fetch: {
    clusterId: null,
    replicaId: -1,
    replicaState: { replicaId: -1, replicaEpoch: -1n },
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 1024,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [],
    forgottenTopicsData: [],
    rackId: '',
  },
  ListOffsets: { replicaId: -1, isolationLevel: 0, topics: [], timeoutMs: 0 },
  Metadata: {
    topics: [],
    allowAutoTopicCreation: true,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  },
  OffsetCommit: {
    groupId: 'g',
    generationIdOrMemberEpoch: -1,
    memberId: '',
    groupInstanceId: null,
    retentionTimeMs: -1n,
    topics: [],
  },
  OffsetFetch: { groupId: '', topics: [], groups: [], requireStable: false },
  FindCoordinator: { key: '', keyType: 0, coordinatorKeys: [] },
  JoinGroup: {
    groupId: 'g',
    sessionTimeoutMs: 1,
    rebalanceTimeoutMs: -1,
    memberId: '',
    groupInstanceId: null,
    protocolType: 'consumer',
    protocols: [],
    reason: null,
  },
  Heartbeat: { groupId: 'g', generationId: 0, memberId: 'm', groupInstanceId: null },
  LeaveGroup: { groupId: 'g', memberId: '', members: [] },
  SyncGroup: {
    groupId: 'g',
    generationId: 0,
    memberId: 'm',
    groupInstanceId: null,
    protocolType: null,
    protocolName: null,
    assignments: [],
  },
  DescribeGroups: { groups: ['g'], includeAuthorizedOperations: false },
  ListGroups: { statesFilter: [], typesFilter: [] },
  ApiVersions: { clientSoftwareName: 'test', clientSoftwareVersion: '1', clusterId: null, nodeId: -1 },
  CreateTopics: { topics: [topic], timeoutMs: 1000, validateOnly: true },
  DeleteTopics: { topics: [], topicNames: [], timeoutMs: 1000 },
  DeleteRecords: { topics: [], timeoutMs: 1000 },
  InitProducerId: {
    transactionalId: null,
    transactionTimeoutMs: 1000,
    producerId: -1n,
    producerEpoch: -1,
    enable2Pc: false,
    keepPreparedTxn: false,
  },
  OffsetForLeaderEpoch: { replicaId: -2, topics: [] },
  AlterConfigs: { resources: [], validateOnly: false },
  DescribeConfigs: { resources: [], includeSynonyms: false, includeDocumentation: false },
  CreatePartitions: { topics: [], timeoutMs: 1000, validateOnly: false },
  DeleteGroups: { groupsNames: ['g'] },
  ListConfigResources: { resourceTypes: [] },
  IncrementalAlterConfigs: { resources: [], validateOnly: false },
  OffsetDelete: { groupId: 'g', topics: [] },
  DescribeCluster: { includeClusterAuthorizedOperations: false, endpointType: 1, includeFencedBrokers: false },
  ConsumerGroupHeartbeat: {
    groupId: 'g',
    memberId: 'm',
    memberEpoch: 1,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: -1,
    subscribedTopicNames: null,
    subscribedTopicRegex: null,
    serverAssignor: null,
    topicPartitions: null,
  },
  ConsumerGroupDescribe: { groupIds: ['g'], includeAuthorizedOperations: false },
  DescribeTopicPartitions: { topics: [], responsePartitionLimit: 10, cursor: null },
}

/** What of a sample differs where a version cannot carry it or asks for more. */
export function sampleRequest(api: string, version: number): unknown {
  const sample = sampleRequests[api]
  if (sample === undefined) throw new Error(`no sample request for ${api}: add one to test/sample-requests.ts`)
  if (api === 'OffsetForLeaderEpoch' && version < 3) return { ...(sample as object), replicaId: -2 }
  if (api === 'LeaveGroup' && version >= 3) {
    return { ...(sample as object), memberId: '', members: [{ memberId: 'm', groupInstanceId: null, reason: null }] }
  }
  return sample
}
