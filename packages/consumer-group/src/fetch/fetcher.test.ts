import { ErrorCode, KafkaError } from '@millrace/protocol'
import { describe, expect, test } from 'vitest'
import { batch, FetchBench } from '../../test/fetch-bench.ts'

describe('the fetcher', () => {
  test('fetches nothing of a partition whose position is unknown, or whose leader is', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(0, -1)
    expect(bench.poll()).toEqual([])
    cursor.seek(5, -1)
    bench.leader = -1
    expect(bench.poll()).toEqual([])
    expect([...bench.fetcher.effects.staleTopics]).toEqual(['t'])
    bench.leader = 1
    const [call] = bench.poll()
    expect(call!.request.topics).toMatchObject([
      { topicId: 'topic-id', partitions: [{ partition: 0, fetchOffset: 5n, currentLeaderEpoch: 3 }] },
    ])
    expect(bench.poll()).toEqual([])
  })

  test('drops what comes for a partition that was given up, or was moved meanwhile', () => {
    const bench = new FetchBench()
    const given = bench.cursor(0)
    const moved = bench.cursor(1)
    const [call] = bench.poll()
    bench.fetcher.remove(given)
    moved.seek(50, -1)
    bench.answer(call!, { 0: { records: batch(0, 3) }, 1: { records: batch(0, 3) } })
    expect(bench.offsets()).toEqual([])
    expect([moved.position, bench.fetcher.memory.bufferedBytes]).toEqual([50, 0])
  })

  test('leaves out a partition of which enough is buffered, and waits for the others only when they have nothing', () => {
    const bench = new FetchBench({ maxPartitionFetchBytes: 200 })
    const cursor = bench.cursor(0)
    bench.cursor(1)
    bench.fetch({ 0: { records: batch(0, 10) } })
    expect(cursor.bufferedBytes).toBeLessThan(300)
    // While that is being read, the next may come.
    bench.fetch({ 0: { records: batch(10, 10) } })
    expect(cursor.bufferedBytes).toBeGreaterThan(300)
    const [call] = bench.poll()
    expect(call!.request.maxWaitMs).toBe(0)
    expect([...call!.wanted.keys()].map(({ partition }) => partition)).toEqual([1])
    bench.answer(call!, {})
    // Nothing for it, so no asking again and again while the buffer stays full ...
    const [waiting] = bench.poll()
    expect([waiting!.isAside, waiting!.request.maxWaitMs]).toEqual([false, 500])
    expect([...waiting!.wanted.keys()].map(({ partition }) => partition)).toEqual([1])
    expect(bench.poll()).toEqual([])
    // ... and once there is room, that is not for the other one to wait for.
    bench.offsets()
    expect(bench.fetcher.hasRoom).toBe(true)
    const [aside] = bench.poll()
    expect([aside!.isAside, aside!.request.maxWaitMs]).toEqual([true, 0])
    expect([...aside!.wanted.keys()].map(({ partition }) => partition)).toEqual([0])
  })

  test('an answer that comes after there is room again does not hold anything up', () => {
    const bench = new FetchBench({ maxPartitionFetchBytes: 100 })
    bench.cursor(0)
    bench.cursor(1)
    bench.fetch({ 0: { records: batch(0, 10) } })
    const [call] = bench.poll()
    bench.offsets()
    bench.answer(call!, {})
    expect(bench.poll()).toHaveLength(1)
  })

  test.each([ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH, ErrorCode.UNKNOWN_TOPIC_ID])(
    'error %d asks for metadata and keeps the position',
    (errorCode) => {
      const bench = new FetchBench()
      const cursor = bench.cursor(0, 9)
      bench.fetch({ 0: { errorCode } })
      expect([...bench.fetcher.effects.staleTopics]).toEqual(['t'])
      expect([cursor.position, bench.poll().length, bench.fetcher.deadline]).toEqual([9, 0, bench.now + 100])
      bench.now += 100
      expect(bench.poll()).toHaveLength(1)
    },
  )

  test('follows the leader that a refusal names, at once', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(0)
    bench.fetch({ 0: { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, currentLeader: { leaderId: 2, leaderEpoch: 4 } } })
    expect(bench.fetcher.effects.leaderHints).toEqual([{ cursor, leaderId: 2, leaderEpoch: 4 }])
    bench.leader = 2
    expect(bench.poll()[0]!.node).toBe(2)
  })

  test('an offset out of range is for the reset policy, after what is buffered', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(0)
    bench.fetch({ 0: { records: batch(0, 2) } })
    bench.fetch({ 0: { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE } })
    expect(bench.fetcher.effects.outOfRange).toEqual([])
    expect(bench.offsets()).toEqual([0, 1])
    bench.now += 100
    bench.fetch({ 0: { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE } })
    expect(bench.fetcher.effects.outOfRange).toEqual([cursor])
  })

  test('an error that will not pass is reported, naming the partition', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(4, 8)
    bench.fetch({ 4: { errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED } })
    expect([cursor.phase, bench.poll()]).toEqual(['failed', []])
    expect(bench.fetcher.effects.failures).toMatchObject([
      { error: { code: 'TOPIC_AUTHORIZATION_FAILED', message: expect.stringContaining('t-4 at offset 8') } },
    ])
  })

  test('a lost connection backs off and begins a new session', () => {
    const bench = new FetchBench()
    bench.cursor(0)
    bench.fetch({ 0: { records: batch(0, 1) } })
    const [call] = bench.poll()
    expect(call!.request.sessionEpoch).toBe(1)
    bench.fetcher.fetchFailed(call!, new KafkaError('CONNECTION_CLOSED', 'cut', { retriable: true }), bench.now)
    expect(bench.poll()).toEqual([])
    bench.now += 100
    expect(bench.poll()[0]!.request).toMatchObject({ sessionId: 1, sessionEpoch: 0 })
  })

  test('fetches nothing of a paused partition, and keeps what it has of it', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(0)
    bench.cursor(1)
    bench.fetch({ 0: { records: batch(0, 2) }, 1: { records: batch(0, 2) } })
    cursor.isPaused = true
    expect(bench.offsets()).toEqual([0, 1])
    expect([cursor.position, cursor.fetchOffset]).toEqual([0, 2])
    expect([...bench.poll()[0]!.wanted.keys()].map(({ partition }) => partition)).toEqual([1])
    cursor.isPaused = false
    expect(bench.offsets()).toEqual([0, 1])
  })
})

describe('the closest replica (KIP-392)', () => {
  test('is fetched from when the leader names it, until metadataMaxAgeMs is over', () => {
    const bench = new FetchBench()
    bench.cursor(0)
    bench.fetch({ 0: { preferredReadReplica: 2 } })
    const [call] = bench.poll()
    expect(call!.node).toBe(2)
    // The leader's epoch goes along, so that a follower that lags behind an election refuses.
    expect(call!.request.topics[0]!.partitions[0]!.currentLeaderEpoch).toBe(3)
    bench.answer(call!, { 0: { records: batch(0, 2) } })
    expect(bench.offsets()).toEqual([0, 1])
    bench.now += 59_999
    const [second] = bench.poll()
    expect(second!.node).toBe(2)
    bench.answer(second!, {})
    bench.now += 1
    expect(bench.poll()[0]!.node).toBe(1)
  })

  test.each([
    ErrorCode.REPLICA_NOT_AVAILABLE,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.OFFSET_NOT_AVAILABLE,
    ErrorCode.UNKNOWN_LEADER_EPOCH,
    ErrorCode.FENCED_LEADER_EPOCH,
    ErrorCode.KAFKA_STORAGE_ERROR,
    ErrorCode.UNKNOWN_TOPIC_ID,
    ErrorCode.UNKNOWN_SERVER_ERROR,
  ])('that answers error %d is left for the leader, which names it again when it can', (errorCode) => {
    const bench = new FetchBench()
    const cursor = bench.cursor(0, 7)
    bench.fetch({ 0: { preferredReadReplica: 2 } })
    bench.fetch({ 0: { errorCode } })
    bench.now += 100
    const [call] = bench.poll()
    expect([call!.node, cursor.position]).toEqual([1, 7])
    bench.answer(call!, { 0: { preferredReadReplica: 2 } })
    expect(bench.poll()[0]!.node).toBe(2)
  })

  test('that says an offset is out of range is not believed: the leader is asked, at once', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(0, 7)
    bench.fetch({ 0: { preferredReadReplica: 2 } })
    bench.fetch({ 0: { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE } })
    expect([bench.fetcher.effects.outOfRange, cursor.position]).toEqual([[], 7])
    const [call] = bench.poll()
    expect(call!.node).toBe(1)
    bench.answer(call!, { 0: { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE } })
    expect(bench.fetcher.effects.outOfRange).toEqual([cursor])
  })

  test('is left when it is offline, refuses or cannot be reached', () => {
    for (const end of ['offline', 'refused', 'unreachable']) {
      const bench = new FetchBench()
      bench.cursor(0)
      bench.fetch({ 0: { preferredReadReplica: 2 } })
      if (end === 'offline') {
        bench.offline.add(2)
      } else {
        const [call] = bench.poll()
        expect(call!.node).toBe(2)
        if (end === 'refused') bench.answer(call!, { 0: { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER } })
        else bench.fetcher.fetchFailed(call!, new KafkaError('CONNECTION_CLOSED', 'cut', { retriable: true }), bench.now)
        bench.now += 100
      }
      expect([end, bench.poll()[0]?.node]).toEqual([end, 1])
      expect([...bench.fetcher.effects.staleTopics]).toEqual(['t'])
    }
  })
})

describe('a new leader (KIP-320)', () => {
  test('is asked about what was read before anything is fetched from it', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(0)
    bench.fetch({ 0: { records: batch(0, 2) } })
    expect([cursor.fetchEpoch, cursor.validatedEpoch]).toEqual([3, 3])
    bench.leaderEpoch = 4
    expect(bench.poll()).toEqual([])
    expect(bench.fetcher.effects.newLeaders).toEqual([cursor])
    cursor.validatedEpoch = 4
    expect(bench.poll()).toHaveLength(1)
  })

  test('is not asked when nothing was read whose epoch is known', () => {
    const bench = new FetchBench()
    const cursor = bench.cursor(0, 5)
    bench.fetch({ 0: {} })
    bench.leaderEpoch = 4
    expect(bench.poll()).toHaveLength(1)
    expect([bench.fetcher.effects.newLeaders, cursor.validatedEpoch]).toEqual([[], 4])
  })
})
