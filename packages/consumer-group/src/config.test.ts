import { ConfigError } from '@millrace/protocol'
import { describe, expect, test } from 'vitest'
import { resolveConsumerOptions } from './config.ts'
import { Consumer } from './consumer.ts'

const least = { bootstrapServers: 'localhost:9092', groupId: 'g', topics: ['t'] }

test("defaults are Java's", () => {
  const { assignors, ...config } = resolveConsumerOptions(least)
  expect(assignors.map(({ name }) => name)).toEqual(['range', 'cooperative-sticky'])
  expect(config).toMatchObject({
    groupId: 'g',
    selection: { topics: ['t'] },
    autoOffsetReset: { kind: 'latest' },
    decoder: null,
    metadataMaxAgeMs: 300000,
    defaultApiTimeoutMs: 60000,
    sessionTimeoutMs: 45000,
    heartbeatIntervalMs: 3000,
    maxPollIntervalMs: 300000,
    fetchMinBytes: 1,
    fetchMaxWaitMs: 500,
    fetchMaxBytes: 4194304,
    maxPartitionFetchBytes: 1048576,
    maxPollRecords: 500,
    enableAutoCommit: true,
    autoCommitIntervalMs: 5000,
    isolationLevel: 'read_uncommitted',
    groupInstanceId: null,
    checkCrcs: true,
    clientRack: '',
    requestTimeoutMs: 30000,
    retryBackoffMs: 100,
    retryBackoffMaxMs: 1000,
  })
})

test('a topic that is named twice is subscribed once', () => {
  expect(resolveConsumerOptions({ ...least, topics: ['a', 'b', 'a'] }).selection).toEqual({ topics: ['a', 'b'] })
})

test('a consumer without topics needs no group', () => {
  const { bootstrapServers } = least
  expect(resolveConsumerOptions({ bootstrapServers })).toMatchObject({ groupId: null, selection: null })
})

describe('refuses, naming the option', () => {
  const wrong: ReadonlyArray<readonly [option: string, options: object]> = [
    ['groupId', { groupId: '' }],
    ['groupId', { groupId: undefined }],
    ['topics', { topics: null }],
    ['topics', { topics: '^orders-.*' }],
    ['groupId', { groupId: 7 }],
    ['topics', { topics: [] }],
    ['topics', { topics: 'orders' }],
    ['topics', { topics: ['a b'] }],
    ['topics', { topics: ['..'] }],
    ['autoOffsetReset', { autoOffsetReset: 'smallest' }],
    ['autoOffsetReset', { autoOffsetReset: 'by_duration:' }],
    ['autoOffsetReset', { autoOffsetReset: 'by_duration:7' }],
    ['autoOffsetReset', { autoOffsetReset: 'by_duration:-P1D' }],
    ['autoOffsetReset', { autoOffsetReset: 'by_duration:P1M' }],
    ['keyDeserializer', { keyDeserializer: 'string' }],
    ['valueDeserializer', { valueDeserializer: {} }],
    ['onDeserializationError', { onDeserializationError: 'ignore' }],
    ['sessionTimeoutMs', { sessionTimeoutMs: 0 }],
    ['heartbeatIntervalMs', { heartbeatIntervalMs: 45_000 }],
    ['maxPollIntervalMs', { maxPollIntervalMs: NaN }],
    ['partitionAssignors', { partitionAssignors: [] }],
    ['partitionAssignors', { partitionAssignors: ['RoundRobinAssigner'] }],
    ['partitionAssignors', { partitionAssignors: ['range', 'range'] }],
    ['fetchMinBytes', { fetchMinBytes: -1 }],
    ['maxPartitionFetchBytes', { maxPartitionFetchBytes: 2 ** 40 }],
    ['maxPollRecords', { maxPollRecords: 0 }],
    ['enableAutoCommit', { enableAutoCommit: 'no' }],
    ['isolationLevel', { isolationLevel: 'serializable' }],
    ['groupInstanceId', { groupInstanceId: '' }],
    ['fromBeginning', { fromBeginning: true }],
    ['bootstrapServers', { bootstrapServers: 'no port' }],
  ]
  test.each(wrong)('%s in %o', (option, options) => {
    const construct = (): Consumer => new Consumer({ ...least, ...options })
    expect(construct).toThrow(ConfigError)
    expect(construct).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', option }))
  })
})
