import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import { createPartitionsApi } from '@millrace/protocol/apis/create-partitions'
import { createTopicsApi, type CreatableTopic, type CreatableTopicResult } from '@millrace/protocol/apis/create-topics'
import { deleteTopicsApi } from '@millrace/protocol/apis/delete-topics'
import { findCoordinatorApi } from '@millrace/protocol/apis/find-coordinator'
import { initProducerIdApi } from '@millrace/protocol/apis/init-producer-id'
import { metadataApi, type MetadataRequest, type MetadataResponseTopic } from '@millrace/protocol/apis/metadata'
import { describe, expect, test } from 'vitest'
import { startBroker, type TestBroker, type WireClient } from '../../test/core-fixtures.ts'
import { batchOf } from '../../test/log-fixtures.ts'
import { fetchOne, produce } from '../../test/requests.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'
import { StorageError, type Storage } from '../storage/storage.ts'

const MISSING_ID = 'AAAAAAAAAAAAAAAAAAAAZg'

function topic(overrides: Partial<CreatableTopic>): CreatableTopic {
  return { name: 'orders', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...overrides }
}

function create(client: WireClient, topics: CreatableTopic[], validateOnly = false, version = 7): CreatableTopicResult[] {
  return client.ask(createTopicsApi, version, { topics, timeoutMs: 1000, validateOnly }).topics
}

function metadata(
  client: WireClient,
  names: string[] | null,
  overrides: Partial<MetadataRequest> = {},
  version = 12,
): MetadataResponseTopic[] {
  const topics = names?.map((name) => ({ name, topicId: ZERO_UUID })) ?? null
  const request = {
    topics,
    allowAutoTopicCreation: true,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  }
  return client.ask(metadataApi, version, { ...request, ...overrides }).topics
}

const names = (client: WireClient): (string | null)[] => metadata(client, null).map(({ name }) => name)

describe('CreateTopics', () => {
  test.each([2, 3, 4, 5, 6, 7])('v%i', (version) => {
    const { client } = startBroker()
    const [created] = create(client, [topic({ numPartitions: 3 })], false, version)
    expect(created).toMatchObject({ name: 'orders', errorCode: 0 })
    const counts = version >= 5 ? { numPartitions: 3, replicationFactor: 1 } : { numPartitions: -1, replicationFactor: -1 }
    expect(created).toMatchObject(counts)
    const [shown] = metadata(client, ['orders'])
    expect(shown!.partitions.map(({ partitionIndex, leaderId, isrNodes }) => [partitionIndex, leaderId, isrNodes])).toEqual([
      [0, 1, [1]],
      [1, 1, [1]],
      [2, 1, [1]],
    ])
    expect(created!.topicId).toBe(version >= 7 ? shown!.topicId : ZERO_UUID)
  })

  test('-1 takes the broker defaults, and the reply shows the configuration with its sources', () => {
    const { client } = startBroker({}, { 'num.partitions': 4, 'log.segment.bytes': 2_000_000 })
    const configs = [{ name: 'retention.ms', value: '1000' }]
    const [created] = create(client, [topic({ numPartitions: -1, replicationFactor: -1, configs })])
    expect(created).toMatchObject({ errorCode: 0, numPartitions: 4, replicationFactor: 1 })
    const config = (name: string): unknown => created!.configs!.find((entry) => entry.name === name)
    expect(config('retention.ms')).toMatchObject({ value: '1000', configSource: 1, readOnly: false, isSensitive: false })
    expect(config('segment.bytes')).toMatchObject({ value: '2000000', configSource: 4 })
    expect(config('max.message.bytes')).toMatchObject({ value: '1048588', configSource: 5 })
  })

  const refusals: [string, Partial<CreatableTopic>, keyof typeof ErrorCode, RegExp][] = [
    ['an empty name', { name: '' }, 'INVALID_TOPIC_EXCEPTION', /the empty string/],
    ['a dot', { name: '..' }, 'INVALID_TOPIC_EXCEPTION', /'\.\.' is not allowed/],
    ['no partitions and too many replicas', { numPartitions: 0, replicationFactor: 2 }, 'INVALID_PARTITIONS', /non-positive/],
    ['a slash', { name: 'a/b' }, 'INVALID_TOPIC_EXCEPTION', /other than ASCII alphanumerics/],
    ['250 characters', { name: 'x'.repeat(250) }, 'INVALID_TOPIC_EXCEPTION', /longer than the max allowed length 249/],
    ['the metadata log', { name: '__cluster_metadata' }, 'INVALID_TOPIC_EXCEPTION', /reserved/],
    ['a name that is taken', { name: 'a.b' }, 'TOPIC_ALREADY_EXISTS', /Topic 'a\.b' already exists/],
    ['a name that collides', { name: 'a_b' }, 'INVALID_TOPIC_EXCEPTION', /'a_b' collides with existing topic: a\.b/],
    ['no partitions', { numPartitions: 0 }, 'INVALID_PARTITIONS', /non-positive/],
    ['-2 partitions', { numPartitions: -2 }, 'INVALID_PARTITIONS', /non-positive/],
    ['too many partitions', { numPartitions: 10_001 }, 'POLICY_VIOLATION', /Excessively large/],
    ['two replicas', { replicationFactor: 2 }, 'INVALID_REPLICATION_FACTOR', /only 1 broker\(s\) are registered/],
    ['no replicas', { replicationFactor: 0 }, 'INVALID_REPLICATION_FACTOR', /larger than 0, or -1/],
    [
      'an unknown configuration',
      { configs: [{ name: 'colour', value: 'red' }] },
      'INVALID_CONFIG',
      /Unknown topic config name: colour/,
    ],
    ['a null configuration', { configs: [{ name: 'retention.ms', value: null }] }, 'INVALID_CONFIG', /Null value not supported/],
    [
      'a bad configuration',
      { configs: [{ name: 'retention.ms', value: '-2' }] },
      'INVALID_CONFIG',
      /Invalid value -2 for configuration retention\.ms/,
    ],
    ['a word for a number', { configs: [{ name: 'retention.ms', value: 'long' }] }, 'INVALID_CONFIG', /expected a whole number/],
    ['2^63', { configs: [{ name: 'retention.ms', value: '9223372036854775808' }] }, 'INVALID_CONFIG', /expected a whole number/],
    ['compaction', { configs: [{ name: 'cleanup.policy', value: 'compact' }] }, 'INVALID_CONFIG', /not supported by this broker/],
    [
      'recompression',
      { configs: [{ name: 'compression.type', value: 'zstd' }] },
      'INVALID_CONFIG',
      /not supported by this broker/,
    ],
    [
      'assignments and a count',
      { assignments: [{ partitionIndex: 0, brokerIds: [1] }] },
      'INVALID_REQUEST',
      /replication factor was not set to -1/,
    ],
    [
      'an unknown broker',
      { numPartitions: -1, replicationFactor: -1, assignments: [{ partitionIndex: 0, brokerIds: [2] }] },
      'INVALID_REPLICA_ASSIGNMENT',
      /includes broker 2, but no such broker/,
    ],
    [
      'a gap in the partitions',
      { numPartitions: -1, replicationFactor: -1, assignments: [{ partitionIndex: 1, brokerIds: [1] }] },
      'INVALID_REPLICA_ASSIGNMENT',
      /consecutive 0-based/,
    ],
    [
      'no broker',
      { numPartitions: -1, replicationFactor: -1, assignments: [{ partitionIndex: 0, brokerIds: [] }] },
      'INVALID_REPLICA_ASSIGNMENT',
      /empty replica list/,
    ],
  ]
  test.each(refusals)('%s is refused and changes nothing', (_, overrides, code, message) => {
    const { client } = startBroker()
    create(client, [topic({ name: 'a.b' })])
    const [refused] = create(client, [topic(overrides)])
    expect(refused).toMatchObject({
      errorCode: ErrorCode[code],
      errorMessage: expect.stringMatching(message),
      topicId: ZERO_UUID,
    })
    expect(names(client)).toEqual(['a.b'])
  })

  test('one topic twice in a request is refused, the others are created', () => {
    const { client } = startBroker()
    const results = create(client, [topic({}), topic({ name: 'other' }), topic({})])
    expect(results.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ['orders', ErrorCode.INVALID_REQUEST],
      ['other', 0],
    ])
    expect(names(client)).toEqual(['other'])
  })

  test('validateOnly answers and creates nothing', () => {
    const { client } = startBroker()
    expect(create(client, [topic({})], true)).toMatchObject([{ errorCode: 0, numPartitions: 1 }])
    expect(names(client)).toEqual([])
  })

  test('partitions may be assigned to this broker by hand', () => {
    const { client } = startBroker()
    const assignments = [1, 0].map((partitionIndex) => ({ partitionIndex, brokerIds: [1] }))
    expect(create(client, [topic({ numPartitions: -1, replicationFactor: -1, assignments })])).toMatchObject([
      { errorCode: 0, numPartitions: 2 },
    ])
  })

  test('a disk that refuses is a retriable error, and leaves no topic behind', () => {
    const storage = new MemoryStorage()
    let full = false
    const failing: Storage = new Proxy(storage, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          if (full && name === 'mkdir') throw new StorageError(String(args[0]), 'make', new Error('no space left'))
          return (value as (...all: unknown[]) => unknown).apply(target, args)
        }
      },
    })
    const { client } = startBroker({ storage: failing })
    full = true
    expect(create(client, [topic({})])).toMatchObject([{ errorCode: ErrorCode.KAFKA_STORAGE_ERROR }])
    full = false
    expect(names(client)).toEqual([])
    expect(create(client, [topic({})])).toMatchObject([{ errorCode: 0 }])
  })
})

describe('DeleteTopics', () => {
  test.each([1, 2, 3, 4, 5])('v%i by name', (version) => {
    const { client, createTopic } = startBroker()
    createTopic('orders')
    const reply = client.ask(deleteTopicsApi, version, { topics: [], topicNames: ['orders', 'missing'], timeoutMs: 1000 })
    expect(reply.responses.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ['orders', 0],
      ['missing', ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    ])
    expect(names(client)).toEqual([])
  })

  test('v6 by name or by id, but not by both or neither', () => {
    const { client, createTopic } = startBroker()
    const id = createTopic('orders')
    createTopic('other')
    const remove = (name: string | null, topicId: string): unknown =>
      client.ask(deleteTopicsApi, 6, { topics: [{ name, topicId }], topicNames: [], timeoutMs: 1000 }).responses[0]
    expect(remove('orders', id)).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST })
    expect(remove(null, ZERO_UUID)).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST })
    expect(remove(null, MISSING_ID)).toMatchObject({ errorCode: ErrorCode.UNKNOWN_TOPIC_ID })
    expect(remove(null, id)).toMatchObject({ errorCode: 0, name: 'orders', topicId: id })
    expect(remove('other', ZERO_UUID)).toMatchObject({ errorCode: 0 })
    expect(names(client)).toEqual([])
  })

  test('a topic that is named twice stays', () => {
    const { client, createTopic } = startBroker()
    const id = createTopic('orders')
    const codes = (version: number, topics: { name: string | null; topicId: string }[], topicNames: string[]): number[] =>
      client.ask(deleteTopicsApi, version, { topics, topicNames, timeoutMs: 1000 }).responses.map(({ errorCode }) => errorCode)
    const [byName, byId] = [
      { name: 'orders', topicId: ZERO_UUID },
      { name: null, topicId: id },
    ]
    expect(codes(5, [], ['orders', 'orders'])).toEqual([ErrorCode.INVALID_REQUEST])
    expect(codes(6, [byId, byId], [])).toEqual([ErrorCode.INVALID_REQUEST])
    expect(new Set(codes(6, [byName, byId], []))).toEqual(new Set([ErrorCode.INVALID_REQUEST]))
    expect(names(client)).toEqual(['orders'])
  })

  test('the offsets topic stays', () => {
    const { client } = startBroker()
    client.ask(findCoordinatorApi, 0, { key: 'g', keyType: 0, coordinatorKeys: [] })
    const reply = client.ask(deleteTopicsApi, 5, { topics: [], topicNames: ['__consumer_offsets'], timeoutMs: 1000 })
    expect(reply.responses).toMatchObject([{ errorCode: ErrorCode.POLICY_VIOLATION }])
    expect(names(client)).toEqual(['__consumer_offsets'])
  })

  test('a topic of the same name is another one, and empty', () => {
    const broker = startBroker()
    const first = broker.createTopic('orders')
    produce(broker, 'orders', batchOf(['old']))
    broker.client.ask(deleteTopicsApi, 5, { topics: [], topicNames: ['orders'], timeoutMs: 1000 })
    expect(broker.createTopic('orders')).not.toBe(first)
    expect(fetchOne(broker.client, { topic: 'orders' })).toMatchObject({ errorCode: 0, highWatermark: 0n })
    expect(produce(broker, first, batchOf(['late']), 13).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID)
  })
})

describe('CreatePartitions', () => {
  const grow = (
    broker: TestBroker,
    name: string,
    count: number,
    brokerIds: number[][] | null = null,
    validateOnly = false,
    version = 3,
  ): unknown => {
    const assignments = brokerIds?.map((ids) => ({ brokerIds: ids })) ?? null
    return broker.client.ask(createPartitionsApi, version, {
      topics: [{ name, count, assignments }],
      timeoutMs: 1000,
      validateOnly,
    }).results[0]
  }

  test.each([0, 1, 2, 3])('v%i adds partitions and keeps what is in the others', (version) => {
    const broker = startBroker()
    broker.createTopic('orders')
    produce(broker, 'orders', batchOf(['kept']))
    expect(grow(broker, 'orders', 3, [[1], [1]], false, version)).toMatchObject({ errorCode: 0, errorMessage: null })
    expect(produce(broker, 'orders', batchOf(['new']), 12, 2)).toMatchObject({ errorCode: 0, baseOffset: 0n })
    expect(fetchOne(broker.client, { topic: 'orders' })).toMatchObject({ highWatermark: 1n })
  })

  test('refusals', () => {
    const broker = startBroker()
    broker.createTopic('orders', 2)
    expect(grow(broker, 'missing', 3)).toMatchObject({ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION })
    expect(grow(broker, 'orders', 2)).toMatchObject({
      errorCode: ErrorCode.INVALID_PARTITIONS,
      errorMessage: 'Topic already has 2 partition(s).',
    })
    expect(grow(broker, 'orders', 1)).toMatchObject({ errorCode: ErrorCode.INVALID_PARTITIONS })
    expect(grow(broker, 'orders', 10_001)).toMatchObject({ errorCode: ErrorCode.INVALID_PARTITIONS })
    expect(grow(broker, 'orders', 4, [[1]])).toMatchObject({ errorCode: ErrorCode.INVALID_REPLICA_ASSIGNMENT })
    expect(grow(broker, 'orders', 3, [[7]])).toMatchObject({ errorCode: ErrorCode.INVALID_REPLICA_ASSIGNMENT })
    expect(grow(broker, 'orders', 3, null, true)).toMatchObject({ errorCode: 0 })
    expect(metadata(broker.client, ['orders'])[0]!.partitions).toHaveLength(2)
  })
})

describe('Metadata', () => {
  test.each(Array.from({ length: 14 }, (_, version) => version))('v%i describes the broker and the topic', (version) => {
    const { client, core, createTopic } = startBroker()
    createTopic('orders', 2)
    core.advertise({ host: 'broker.test', port: 4711 })
    const topics = [{ name: 'orders', topicId: ZERO_UUID }]
    const request = {
      topics,
      allowAutoTopicCreation: true,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    }
    const reply = client.ask(metadataApi, version, request)
    expect(reply.brokers).toEqual([{ nodeId: 1, host: 'broker.test', port: 4711, rack: null }])
    expect(reply.controllerId).toBe(version >= 1 ? 1 : -1)
    expect(reply.clusterId).toBe(version >= 2 ? core.services.clusterId : null)
    expect(reply.topics).toMatchObject([
      { errorCode: 0, name: 'orders', partitions: [{ leaderId: 1, replicaNodes: [1] }, { leaderId: 1 }] },
    ])
    expect(reply.topics[0]!.partitions[0]!.leaderEpoch).toBe(version >= 7 ? 0 : -1)
  })

  test('null asks for all topics, [] for none, but in v0 [] for all', () => {
    const { client, createTopic } = startBroker()
    createTopic('orders')
    expect(metadata(client, null)).toHaveLength(1)
    expect(metadata(client, [])).toHaveLength(0)
    expect(metadata(client, [], {}, 0)).toHaveLength(1)
  })

  test('creates a topic that is named, with the default number of partitions', () => {
    const { client } = startBroker({}, { 'num.partitions': 3 })
    const [created] = metadata(client, ['new'])
    expect(created).toMatchObject({ errorCode: 0, name: 'new' })
    expect(created!.partitions).toHaveLength(3)
  })

  test('creates nothing when the client or the broker does not want it, and never a bad name', () => {
    const willing = startBroker()
    const unknown = { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name: 'new', topicId: ZERO_UUID, partitions: [] }
    expect(metadata(willing.client, ['new'], { allowAutoTopicCreation: false })).toMatchObject([unknown])
    expect(metadata(willing.client, ['a b', '__transaction_state'])).toMatchObject([
      { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION },
      { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, isInternal: true },
    ])
    const unwilling = startBroker({}, { 'auto.create.topics.enable': false })
    expect(metadata(unwilling.client, ['new'])).toMatchObject([unknown])
    expect([names(willing.client), names(unwilling.client)]).toEqual([[], []])
  })

  test('topics by id from v12', () => {
    const { client, createTopic } = startBroker()
    const id = createTopic('orders')
    const byId = (topicId: string, version: number): unknown =>
      metadata(client, null, { topics: [{ name: null, topicId }] }, version)
    expect(byId(id, 12)).toMatchObject([{ errorCode: 0, name: 'orders', topicId: id }])
    expect(byId(MISSING_ID, 13)).toMatchObject([{ errorCode: ErrorCode.UNKNOWN_TOPIC_ID, name: null, topicId: MISSING_ID }])
  })
})

describe('restart', () => {
  test.each(['close', 'abandon'] as const)('after %s, topics, partitions, configurations and records are as they were', (end) => {
    const storage = new MemoryStorage()
    const before = startBroker({ storage })
    const id = before.createTopic('orders', 2, { 'retention.ms': '3600000' })
    before.createTopic('doomed')
    produce(before, 'orders', batchOf(['a', 'b']), 12, 1)
    before.client.ask(deleteTopicsApi, 5, { topics: [], topicNames: ['doomed'], timeoutMs: 1000 })
    before.client.ask(createPartitionsApi, 3, {
      topics: [{ name: 'orders', count: 3, assignments: null }],
      timeoutMs: 1000,
      validateOnly: false,
    })
    before.core[end]()

    const after = startBroker({ storage })
    const [topicAfter, ...others] = metadata(after.client, null)
    expect(others).toEqual([])
    expect(topicAfter).toMatchObject({ name: 'orders', topicId: id })
    expect(topicAfter!.partitions).toHaveLength(3)
    expect(after.core.services.topics.byName('orders')!.config.retentionMs).toBe(3_600_000)
    expect(produce(after, 'orders', batchOf(['c']), 12, 1)).toMatchObject({ errorCode: 0, baseOffset: 2n })
  })

  test('producer ids are never given twice', () => {
    const storage = new MemoryStorage()
    const given = new Set<bigint>()
    const request = {
      transactionalId: null,
      transactionTimeoutMs: 1000,
      producerId: -1n,
      producerEpoch: -1,
      enable2Pc: false,
      keepPreparedTxn: false,
    }
    for (let run = 0; run < 3; run++) {
      const { client, core } = startBroker({ storage })
      for (let i = 0; i < 1200; i++) given.add(client.ask(initProducerIdApi, 4, request).producerId)
      core.abandon()
    }
    expect(given.size).toBe(3600)
  })
})
