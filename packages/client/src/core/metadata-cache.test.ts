import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import type { MetadataResponse, MetadataResponseTopic } from '@millrace/protocol/apis/metadata'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MetadataCache } from './metadata-cache.ts'

const ID = 'AAAAAAAAAAAAAAAAAAAAAQ'
const OTHER_ID = 'AAAAAAAAAAAAAAAAAAAAAg'

function topic(
  name: string,
  leaders: readonly (readonly [number, number])[],
  topicId = ID,
  errorCode = 0,
): MetadataResponseTopic {
  const partitions = leaders.map(([leaderId, leaderEpoch], partitionIndex) => ({
    errorCode: 0,
    partitionIndex,
    leaderId,
    leaderEpoch,
    replicaNodes: [1, 2],
    isrNodes: [1],
    offlineReplicas: [],
  }))
  return { errorCode, name, topicId, isInternal: false, partitions, topicAuthorizedOperations: 0 }
}

function response(topics: MetadataResponseTopic[], nodeIds: readonly number[] = [1, 2]): MetadataResponse {
  const brokers = nodeIds.map((nodeId) => ({ nodeId, host: `h${nodeId}`, port: 9092, rack: null }))
  return { throttleTimeMs: 0, brokers, clusterId: 'c', controllerId: 1, topics, clusterAuthorizedOperations: 0, errorCode: 0 }
}

test('knows topics by name and by id, and partitions by number', () => {
  const cache = new MetadataCache()
  expect(
    cache.update(
      response([
        topic('a', [
          [1, 5],
          [2, 6],
        ]),
      ]),
    ),
  ).toBe(true)
  expect(cache.topicNameOf(ID)).toBe('a')
  expect(cache.topic('a')?.id).toBe(ID)
  expect(cache.partition('a', 1)).toMatchObject({ partition: 1, leader: 2, leaderEpoch: 6, replicas: [1, 2], isr: [1] })
  expect(cache.partition('a', 2)).toBeUndefined()
  expect([...cache.nodes.keys()]).toEqual([1, 2])
})

test('never goes back to an older leader epoch', () => {
  const cache = new MetadataCache()
  cache.update(response([topic('a', [[2, 7]])]))
  cache.update(response([topic('a', [[1, 6]])]))
  expect(cache.partition('a', 0)).toMatchObject({ leader: 2, leaderEpoch: 7 })
  cache.update(response([topic('a', [[-1, 7]])]))
  expect(cache.partition('a', 0)).toMatchObject({ leader: -1, leaderEpoch: 7 })
})

test('takes the epochs of a topic that was deleted and made anew, although they are lower', () => {
  const cache = new MetadataCache()
  cache.update(response([topic('a', [[2, 7]])]))
  cache.update(response([topic('a', [[1, 0]], OTHER_ID)]))
  expect(cache.partition('a', 0)).toMatchObject({ leader: 1, leaderEpoch: 0 })
  expect(cache.topicNameOf(ID)).toBeUndefined()
  expect(cache.topicNameOf(OTHER_ID)).toBe('a')
})

test('takes what a broker says that knows no epochs', () => {
  const cache = new MetadataCache()
  cache.update(response([topic('a', [[2, -1]], ZERO_UUID)]))
  cache.update(response([topic('a', [[1, -1]], ZERO_UUID)]))
  expect(cache.partition('a', 0)?.leader).toBe(1)
})

test('forgets a topic that is gone, and keeps one whose answer failed otherwise', () => {
  const cache = new MetadataCache()
  cache.update(response([topic('a', [[2, 7]]), topic('b', [[1, 1]], OTHER_ID)]))
  cache.update(
    response([
      topic('a', [], ZERO_UUID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
      topic('b', [], ZERO_UUID, ErrorCode.TOPIC_AUTHORIZATION_FAILED),
    ]),
  )
  expect(cache.topic('a')).toBeUndefined()
  expect(cache.topicNameOf(ID)).toBeUndefined()
  expect(cache.errorOf('a')).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  expect(cache.topic('b')).toBeDefined()
  expect(cache.errorOf('b')).toBe(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
  cache.update(response([topic('b', [[1, 1]], OTHER_ID)]))
  expect(cache.errorOf('b')).toBe(0)
})

test('ignores an answer without brokers', () => {
  const cache = new MetadataCache()
  cache.update(response([topic('a', [[1, 5]])]))
  expect(cache.update(response([topic('a', [[2, 6]])], []))).toBe(false)
  expect(cache.partition('a', 0)?.leader).toBe(1)
  expect(cache.nodes.size).toBe(2)
})

test('takes a hint only if its epoch is newer (KIP-951)', () => {
  const cache = new MetadataCache()
  cache.update(response([topic('a', [[1, 5]])]))
  expect(cache.applyLeaderHint('a', 0, 2, 5)).toBe(false)
  expect(cache.applyLeaderHint('a', 0, -1, 9)).toBe(false)
  expect(cache.applyLeaderHint('a', 3, 2, 9)).toBe(false)
  expect(cache.applyLeaderHint('nope', 0, 2, 9)).toBe(false)
  expect(cache.applyLeaderHint('a', 0, 2, 6)).toBe(true)
  expect(cache.partition('a', 0)).toMatchObject({ leader: 2, leaderEpoch: 6, replicas: [1, 2] })
})

test('the epoch of a partition never falls while its topic stays, whatever answers and hints arrive in whatever order', () => {
  const answer = fc.record({ kind: fc.constant('answer' as const), leader: fc.integer({ min: 0, max: 3 }), epoch: fc.nat(20) })
  const hint = fc.record({
    kind: fc.constant('hint' as const),
    leader: fc.integer({ min: -1, max: 3 }),
    epoch: fc.integer({ min: -1, max: 20 }),
  })
  const failure = fc.record({ kind: fc.constant('failure' as const), leader: fc.constant(0), epoch: fc.constant(0) })
  fc.assert(
    fc.property(fc.array(fc.oneof(answer, hint, failure), { minLength: 1, maxLength: 40 }), (events) => {
      const cache = new MetadataCache()
      cache.update(response([topic('a', [[0, 0]])]))
      let [highest, leaderAtHighest] = [0, new Set([0])]
      for (const { kind, leader, epoch } of events) {
        if (kind === 'answer') cache.update(response([topic('a', [[leader, epoch]])]))
        else if (kind === 'hint') cache.applyLeaderHint('a', 0, leader, epoch)
        else cache.update(response([topic('a', [], ZERO_UUID, ErrorCode.LEADER_NOT_AVAILABLE)]))
        if (kind !== 'failure' && epoch > highest && leader >= 0) [highest, leaderAtHighest] = [epoch, new Set([leader])]
        else if (kind === 'answer' && epoch === highest) leaderAtHighest.add(leader)
        const known = cache.partition('a', 0)!
        expect(known.leaderEpoch).toBe(highest)
        expect(leaderAtHighest.has(known.leader)).toBe(true)
      }
    }),
  )
})

test('a node that another broker told of is known until the next answer', () => {
  const cache = new MetadataCache()
  cache.update(response([]))
  cache.learnNode({ id: 9, host: 'h9', port: 1, rack: null })
  expect(cache.nodes.get(9)?.host).toBe('h9')
  cache.update(response([]))
  expect(cache.nodes.has(9)).toBe(false)
})

test.each([
  ['far beyond its topic', [0, 0x7fffffff]],
  ['negative', [0, -1]],
  ['given twice', [0, 0]],
])('refuses a partition number that is %s, and keeps what it knew', (_what, numbers) => {
  const cache = new MetadataCache()
  cache.update(response([topic('a', [[1, 5]])]))
  const bad = topic('a', [
    [2, 6],
    [2, 6],
  ])
  numbers.forEach((number, index) => (bad.partitions[index]!.partitionIndex = number))
  const corrupt = expect.objectContaining({ code: 'CORRUPT_FRAME', message: expect.stringContaining('topic a') as string })
  expect(() => cache.update(response([bad], [3]))).toThrow(corrupt)
  expect([...cache.nodes.keys()]).toEqual([1, 2])
  expect(cache.partitionsOf('a').map(({ leader }) => leader)).toEqual([1])
})

test('takes partitions in whatever order', () => {
  const cache = new MetadataCache()
  const unordered = topic('a', [
    [1, 5],
    [2, 6],
  ])
  unordered.partitions.reverse()
  cache.update(response([unordered]))
  expect(cache.partitionsOf('a').map(({ leader }) => leader)).toEqual([1, 2])
})
