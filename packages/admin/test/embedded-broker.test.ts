import { Broker } from '@millrace/broker'
import { ConfigError, KafkaError } from '@millrace/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Admin } from '../src/admin.ts'
import type { AlterConfigOp } from '../src/configs.ts'
import { ItemsFailedError } from '../src/item-results.ts'

let broker: Broker
let admin: Admin

beforeAll(async () => {
  broker = await Broker.start({ port: 0 })
  admin = new Admin({ bootstrapServers: broker.bootstrapServers })
})

afterAll(async () => {
  await admin.close()
  await broker.close()
})

async function failureOf(promise: Promise<unknown>): Promise<KafkaError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof KafkaError) return error
    throw error
  }
  throw new Error('did not fail')
}

describe('topics', () => {
  test('are made, listed, described and deleted', async () => {
    const created = await admin.createTopics([{ name: 'life', numPartitions: 2, configs: { 'retention.ms': '1000' } }])
    expect(created.get('life')).toMatchObject({ name: 'life', numPartitions: 2, replicationFactor: 1 })
    expect(created.get('life').configs?.get('retention.ms')).toBe('1000')
    const { topicId } = created.get('life')
    expect(await admin.listTopics()).toContainEqual({ name: 'life', topicId, isInternal: false })
    const described = await admin.describeTopics(['life'])
    expect(described.get('life')).toMatchObject({ name: 'life', topicId, isInternal: false })
    expect(described.get('life').partitions.map(({ partition, leader, isr }) => [partition, leader, isr])).toEqual([
      [0, broker.nodeId, [broker.nodeId]],
      [1, broker.nodeId, [broker.nodeId]],
    ])
    await admin.deleteTopics(['life'])
    expect((await admin.listTopics()).map(({ name }) => name)).not.toContain('life')
  })

  test('with defaults of the broker', async () => {
    const created = await admin.createTopics([{ name: 'defaults' }])
    expect(created.get('defaults').numPartitions).toBeGreaterThan(0)
    expect(created.get('defaults').replicationFactor).toBe(1)
  })

  test('one that exists already rejects with its own error, which names it', async () => {
    await admin.createTopics([{ name: 'twice', numPartitions: 1 }])
    const error = await failureOf(admin.createTopics([{ name: 'twice', numPartitions: 1 }]))
    expect(error).toMatchObject({ code: 'TOPIC_ALREADY_EXISTS', retriable: false })
    expect(error.message).toContain('topic twice')
  })

  test('if some of many fail the call rejects, and has the outcome of each', async () => {
    await admin.createTopics([{ name: 'there', numPartitions: 1 }])
    const error = await failureOf(
      admin.createTopics([{ name: 'there' }, { name: 'new-one', numPartitions: 1 }, { name: 'no good' }]),
    )
    expect(error).toBeInstanceOf(ItemsFailedError)
    const { results } = error as ItemsFailedError
    expect(results.error('there')?.code).toBe('TOPIC_ALREADY_EXISTS')
    expect(results.error('no good')?.code).toBe('INVALID_TOPIC_EXCEPTION')
    expect(results.error('new-one')).toBeNull()
    expect([...results.values.keys()]).toEqual(['new-one'])
    expect((await admin.listTopics()).map(({ name }) => name)).toContain('new-one')
  })

  test('with throwOnFailure: false the outcomes are returned', async () => {
    const results = await admin.describeTopics(['there', 'missing'], { throwOnFailure: false })
    expect(results.get('there').partitions).toHaveLength(1)
    expect(() => results.get('missing')).toThrow('UNKNOWN_TOPIC_OR_PARTITION')
    expect(() => results.get('never asked for')).toThrow('was not asked for')
    expect(() => results.orThrow()).toThrow(ItemsFailedError)
    expect([...results].map(([key]) => key)).toEqual(['there'])
  })

  test('validateOnly makes nothing', async () => {
    await admin.createTopics([{ name: 'only-checked', numPartitions: 1 }], { validateOnly: true })
    expect((await admin.listTopics()).map(({ name }) => name)).not.toContain('only-checked')
  })

  test('get more partitions, not fewer', async () => {
    await admin.createTopics([{ name: 'growing', numPartitions: 1 }])
    await admin.createPartitions([{ topic: 'growing', totalCount: 3 }])
    expect((await admin.describeTopics(['growing'])).get('growing').partitions).toHaveLength(3)
    expect((await failureOf(admin.createPartitions([{ topic: 'growing', totalCount: 2 }]))).code).toBe('INVALID_PARTITIONS')
  })

  test('unknown ones are refused by name', async () => {
    expect((await failureOf(admin.deleteTopics(['missing']))).code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect((await failureOf(admin.describeTopics(['missing']))).message).toContain('topic missing')
  })

  test('none at all is no error', async () => {
    expect((await admin.describeTopics([])).size).toBe(0)
    expect((await admin.createTopics([])).size).toBe(0)
  })
})

describe('offsets', () => {
  test('of an empty partition', async () => {
    await admin.createTopics([{ name: 'empty', numPartitions: 2 }])
    const offsets = await admin.listOffsets([
      { topic: 'empty', partition: 0, spec: 'earliest' },
      { topic: 'empty', partition: 1, spec: 'latest' },
    ])
    expect(offsets.get('empty-0')).toMatchObject({ topic: 'empty', partition: 0, offset: 0 })
    expect(offsets.get('empty-1')).toMatchObject({ topic: 'empty', partition: 1, offset: 0 })
    const none = await admin.listOffsets([{ topic: 'empty', partition: 0, spec: { timestamp: 5 } }])
    expect(none.get('empty-0')).toMatchObject({ offset: -1, timestamp: -1 })
    const committed = await admin.listOffsets([{ topic: 'empty', partition: 0, spec: 'maxTimestamp' }], {
      isolationLevel: 'read_committed',
    })
    expect(committed.get('empty-0').offset).toBe(-1)
  })

  test('an unknown topic and an unknown partition are errors of their own', async () => {
    const call = admin.listOffsets(
      [
        { topic: 'missing', partition: 0, spec: 'latest' },
        { topic: 'empty', partition: 7, spec: 'latest' },
        { topic: 'empty', partition: 0, spec: 'latest' },
      ],
      { throwOnFailure: false },
    )
    const offsets = await call
    expect(offsets.error('missing-0')?.code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(offsets.error('empty-7')?.code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(offsets.get('empty-0').offset).toBe(0)
  })

  test('deleteRecords beyond the end is refused for that partition alone', async () => {
    const results = await admin.deleteRecords(
      [
        { topic: 'empty', partition: 0, beforeOffset: 'all' },
        { topic: 'empty', partition: 1, beforeOffset: 50 },
      ],
      { throwOnFailure: false },
    )
    expect(results.get('empty-0').lowWatermark).toBe(0)
    expect(results.error('empty-1')?.code).toBe('OFFSET_OUT_OF_RANGE')
  })
})

describe('the cluster and its configs', () => {
  test('the cluster', async () => {
    const cluster = await admin.describeCluster()
    expect(cluster.clusterId).toBe(broker.clusterId)
    expect(cluster.nodes.map(({ id, port }) => [id, port])).toEqual([[broker.nodeId, broker.port]])
    expect(cluster.controller?.id).toBe(broker.nodeId)
  })

  test('a topic’s configs are described, changed one by one, and set back', async () => {
    await admin.createTopics([{ name: 'configured', numPartitions: 1 }])
    const retention = async () => {
      const configs = await admin.describeConfigs([{ type: 'topic', name: 'configured', configNames: ['retention.ms'] }])
      return configs.get('topic:configured').get('retention.ms')!
    }
    expect(await retention()).toMatchObject({ isDefault: true, source: 'default', type: 'long' })
    await admin.incrementalAlterConfigs([{ type: 'topic', name: 'configured', ops: [{ name: 'retention.ms', value: '12345' }] }])
    expect(await retention()).toMatchObject({ value: '12345', isDefault: false, source: 'dynamicTopic' })
    await admin.incrementalAlterConfigs([{ type: 'topic', name: 'configured', ops: [{ name: 'retention.ms', op: 'delete' }] }])
    expect((await retention()).isDefault).toBe(true)
  })

  test("a group's own configs are described, changed and set back, whether the group is there or not", async () => {
    const heartbeat = async () => {
      const configs = await admin.describeConfigs([{ type: 'group', name: 'tuned' }])
      return configs.get('group:tuned').get('consumer.heartbeat.interval.ms')!
    }
    const alter = (op: AlterConfigOp): Promise<unknown> =>
      admin.incrementalAlterConfigs([{ type: 'group', name: 'tuned', ops: [op] }])
    expect(await heartbeat()).toMatchObject({ value: '5000', isDefault: true, type: 'int' })
    await alter({ name: 'consumer.heartbeat.interval.ms', value: '7000' })
    expect(await heartbeat()).toMatchObject({ value: '7000', isDefault: false, source: 'group' })
    const tooLong = alter({ name: 'consumer.heartbeat.interval.ms', value: '70000' })
    expect(await failureOf(tooLong)).toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringMatching(/group:tuned.*group\.consumer\.max\.heartbeat\.interval\.ms/) as string,
    })
    await alter({ name: 'consumer.heartbeat.interval.ms', op: 'delete' })
    expect((await heartbeat()).isDefault).toBe(true)
  })

  test('a config that does not exist is refused, as is one of a topic that does not', async () => {
    const unknown = admin.incrementalAlterConfigs([
      { type: 'topic', name: 'configured', ops: [{ name: 'no.such.config', value: '1' }] },
    ])
    expect((await failureOf(unknown)).code).toBe('INVALID_CONFIG')
    const results = await admin.describeConfigs(
      [
        { type: 'topic', name: 'missing' },
        { type: 'broker', name: String(broker.nodeId) },
      ],
      {
        throwOnFailure: false,
      },
    )
    expect(results.error('topic:missing')?.code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(results.error(`broker:${broker.nodeId}`)).toBeNull()
  })
})

describe('groups', () => {
  test('offsets are set, fetched and deleted; the group is listed, described and deleted', async () => {
    await admin.createTopics([{ name: 'consumed', numPartitions: 3 }])
    await admin.alterGroupOffsets('readers', [
      { topic: 'consumed', partition: 0, offset: 0, metadata: 'note' },
      { topic: 'consumed', partition: 1, offset: 0 },
    ])
    const all = await admin.fetchGroupOffsets('readers')
    expect([...all.values.keys()].toSorted()).toEqual(['consumed-0', 'consumed-1'])
    expect(all.get('consumed-0')).toMatchObject({ offset: 0, metadata: 'note' })
    const some = await admin.fetchGroupOffsets('readers', { partitions: [{ topic: 'consumed', partition: 2 }] })
    expect(some.get('consumed-2').offset).toBeNull()
    const { groups, errors } = await admin.listGroups()
    expect(groups.find(({ groupId }) => groupId === 'readers')).toMatchObject({ state: 'Empty', type: 'classic' })
    expect(errors.size).toBe(0)
    expect((await admin.describeGroups(['readers'])).get('readers')).toMatchObject({
      groupId: 'readers',
      type: 'classic',
      state: 'Empty',
      members: [],
      coordinator: broker.nodeId,
    })
    await admin.deleteGroupOffsets('readers', [{ topic: 'consumed', partition: 0 }])
    expect([...(await admin.fetchGroupOffsets('readers')).values.keys()]).toEqual(['consumed-1'])
    await admin.deleteGroups(['readers'])
    expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).not.toContain('readers')
  })

  test('unknown ones have their own errors', async () => {
    expect((await failureOf(admin.describeGroups(['nobody']))).code).toBe('GROUP_ID_NOT_FOUND')
    const error = await failureOf(admin.deleteGroups(['nobody', 'nobody-else']))
    expect([...(error as ItemsFailedError).results.errors.values()].map(({ code }) => code)).toEqual([
      'GROUP_ID_NOT_FOUND',
      'GROUP_ID_NOT_FOUND',
    ])
  })
})

describe('bad arguments and the end', () => {
  test.each([
    ['a topic without a name', () => admin.createTopics([{ name: '' }])],
    ['a topic twice', () => admin.createTopics([{ name: 'a' }, { name: 'a' }])],
    ['no partitions', () => admin.createTopics([{ name: 'a', numPartitions: 0 }])],
    ['half a partition', () => admin.createTopics([{ name: 'a', numPartitions: 1.5 }])],
    ['a replication factor past int16', () => admin.createTopics([{ name: 'a', replicationFactor: 40_000 }])],
    ['assignments beside counts', () => admin.createTopics([{ name: 'a', numPartitions: 1, assignments: [[1]] }])],
    [
      'a config that is no string',
      () => admin.createTopics([{ name: 'a', configs: { 'retention.ms': 5 as unknown as string } }]),
    ],
    ['a negative partition', () => admin.listOffsets([{ topic: 'a', partition: -1, spec: 'latest' }])],
    ['an unknown spec', () => admin.listOffsets([{ topic: 'a', partition: 0, spec: 'newest' as 'latest' }])],
    [
      'a partition twice',
      () => admin.listOffsets([0, 0].map((partition) => ({ topic: 'a', partition, spec: 'latest' as const }))),
    ],
    ['a negative offset', () => admin.alterGroupOffsets('g', [{ topic: 'a', partition: 0, offset: -1 }])],
    ['an offset past 2^53', () => admin.alterGroupOffsets('g', [{ topic: 'a', partition: 0, offset: 2 ** 53 }])],
    ['records before a fraction', () => admin.deleteRecords([{ topic: 'a', partition: 0, beforeOffset: 0.5 }])],
    ['an unknown resource type', () => admin.describeConfigs([{ type: 'user' as 'topic', name: 'a' }])],
    ['a broker by name', () => admin.describeConfigs([{ type: 'broker', name: 'first' }])],
    [
      'an unknown operation',
      () => admin.incrementalAlterConfigs([{ type: 'topic', name: 'a', ops: [{ name: 'b', op: 'unset' as 'delete' }] }]),
    ],
    [
      'a change without a value',
      () =>
        admin.incrementalAlterConfigs([{ type: 'topic', name: 'a', ops: [{ name: 'b' } as { name: string; value: string }] }]),
    ],
    ['a group without an id', () => admin.fetchGroupOffsets('')],
    ['a string in place of names', () => admin.deleteTopics('topic' as unknown as string[])],
    ['a string in place of topics', () => admin.createTopics('topic' as never)],
    ['a topic that is none', () => admin.createTopics([null as never])],
    ['a string in place of partitions', () => admin.listOffsets('topic-0' as never)],
    ['a string in place of resources', () => admin.describeConfigs('topic:a' as never)],
    ['a resource without changes', () => admin.incrementalAlterConfigs([{ type: 'topic', name: 'a' } as never])],
    ['a string in place of states', () => admin.listGroups({ states: 'Stable' as never })],
    ['a type that is no string', () => admin.listGroups({ types: [5 as never] })],
  ])('%s is refused before anything is sent', async (_what, call) => {
    expect((await failureOf(call())).code).toBe('INVALID_ARGUMENT')
  })

  test.each([
    ['dryRun', () => admin.createTopics([{ name: 'never' }], { dryRun: true } as never)],
    ['validateOnly', () => admin.createTopics([{ name: 'never' }], { validateOnly: 'yes' as never })],
    ['partitions', () => admin.createTopics([{ name: 'never', partitions: 7 } as never])],
    ['timeout', () => admin.createPartitions([{ topic: 'never', totalCount: 2 }], { timeout: 5 } as never)],
    ['throwOnFailures', () => admin.deleteTopics(['never'], { throwOnFailures: false } as never)],
    ['internal', () => admin.listTopics({ internal: true } as never)],
    ['pageSize', () => admin.describeTopics(['never'], { pageSize: 5 } as never)],
    ['fenced', () => admin.describeCluster({ fenced: true } as never)],
    ['synonyms', () => admin.describeConfigs([{ type: 'topic', name: 'never' }], { synonyms: true } as never)],
    ['dryRun', () => admin.incrementalAlterConfigs([{ type: 'topic', name: 'never', ops: [] }], { dryRun: true } as never)],
    [
      'isolationLevel',
      () => admin.listOffsets([{ topic: 'a', partition: 0, spec: 'latest' }], { isolationLevel: 'read-committed' as never }),
    ],
    ['force', () => admin.deleteRecords([{ topic: 'a', partition: 0, beforeOffset: 1 }], { force: true } as never)],
    ['state', () => admin.listGroups({ state: ['Stable'] } as never)],
    ['deep', () => admin.describeGroups(['g'], { deep: true } as never)],
    ['force', () => admin.deleteGroups(['g'], { force: true } as never)],
    ['topics', () => admin.fetchGroupOffsets('g', { topics: ['a'] } as never)],
    ['force', () => admin.alterGroupOffsets('g', [], { force: true } as never)],
    ['signal', () => admin.listTopics({ signal: null as never })],
    ['force', () => admin.deleteGroupOffsets('g', [], { force: true } as never)],
  ])('the option %s is refused and named', async (option, call) => {
    expect(await failureOf(call())).toMatchObject({ name: 'ConfigError', option })
    expect((await admin.listTopics()).map(({ name }) => name)).not.toContain('never')
  })

  test('a value that does not fit the protocol is refused at once, and the connection serves on', async () => {
    const offsets = [{ topic: 'a', partition: 0, offset: 1, metadata: 5 as never }]
    const error = await failureOf(admin.alterGroupOffsets('g', offsets))
    expect(error).toMatchObject({ code: 'VALUE_OUT_OF_RANGE', message: 'OffsetCommit cannot be encoded: 5 is no string' })
    expect((await failureOf(admin.createTopics([{ name: 'x'.repeat(40_000) }]))).message).toContain('CreateTopics')
    expect(await admin.listTopics()).toBeInstanceOf(Array)
  })

  test('a change that is wrong leaves the others undone', async () => {
    await admin.createTopics([{ name: 'halves', numPartitions: 1, configs: { 'retention.ms': '1000' } }])
    const call = admin.incrementalAlterConfigs(
      [
        { type: 'topic', name: 'halves', ops: [{ name: 'retention.ms', value: '2000' }] },
        { type: 'broker', name: String(broker.nodeId), ops: [{ name: 'log.cleaner.threads', op: 'unset' as 'delete' }] },
      ],
      { throwOnFailure: false },
    )
    expect(await failureOf(call)).toMatchObject({ code: 'INVALID_ARGUMENT' })
    const configs = await admin.describeConfigs([{ type: 'topic', name: 'halves' }])
    expect(configs.get('topic:halves').get('retention.ms')?.value).toBe('1000')
  })

  test('a timeout may be a fraction of a millisecond', async () => {
    const created = await admin.createTopics([{ name: 'fraction', numPartitions: 1 }], { timeoutMs: 20_000.5 })
    expect(created.size).toBe(1)
  })

  test('a wrong option is refused at construction', () => {
    expect(() => new Admin({ bootstrapServers: 'nonsense' })).toThrow(ConfigError)
    expect(() => new Admin({ bootstrapServers: 'a:1', brokers: [] } as never)).toThrow(/brokers/)
  })

  test('a signal that fired, and a client that is closed', async () => {
    expect((await failureOf(admin.listTopics({ signal: AbortSignal.abort() }))).code).toBe('ABORTED')
    const late = { timeoutMs: Number.NaN }
    expect(await failureOf(admin.listTopics(late))).toBeInstanceOf(ConfigError)
    expect(await failureOf(admin.listOffsets([{ topic: 'a', partition: 0, spec: 'latest' }], late))).toBeInstanceOf(ConfigError)
    expect(await failureOf(admin.createTopics([{ name: 'never' }], late))).toBeInstanceOf(ConfigError)
    const other = new Admin({ bootstrapServers: broker.bootstrapServers })
    await other.close()
    await other.close()
    expect((await failureOf(other.listTopics())).code).toBe('CLIENT_CLOSED')
    expect((await failureOf(other.listOffsets([{ topic: 'a', partition: 0, spec: 'latest' }]))).code).toBe('CLIENT_CLOSED')
    expect((await failureOf(other.describeGroups(['g']))).code).toBe('CLIENT_CLOSED')
  })
})
