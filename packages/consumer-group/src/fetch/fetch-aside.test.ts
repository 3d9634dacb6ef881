import { ErrorCode, KafkaError } from '@millrace/protocol'
import { describe, expect, test } from 'vitest'
import { batch, FetchBench } from '../../test/fetch-bench.ts'
import type { FetchCall } from './broker-fetches.ts'

const SESSIONLESS = { sessionId: 0, sessionEpoch: -1, maxWaitMs: 0 }

function partitionsOf(call: FetchCall | undefined): number[] {
  return [...(call?.wanted.keys() ?? [])].map(({ partition }) => partition)
}

/** A fetch for partition 0 that may wait at the broker; partition 1 is paused. */
function waitingBench(settings: ConstructorParameters<typeof FetchBench>[0] = {}) {
  const bench = new FetchBench(settings)
  const [first, second] = [bench.cursor(0), bench.cursor(1)]
  second.isPaused = true
  const [waiting] = bench.poll()
  expect([waiting!.isAside, waiting!.request.maxWaitMs, partitionsOf(waiting)]).toEqual([false, 500, [0]])
  return { bench, first, second, waiting: waiting! }
}

describe('while a fetch may wait at the broker', () => {
  test('what is resumed, new or moved is asked for beside it, without waiting and outside of its session', () => {
    const { bench, first, second, waiting } = waitingBench()
    second.resume()
    const [resumed] = bench.poll()
    expect([resumed!.isAside, partitionsOf(resumed)]).toEqual([true, [1]])
    expect(resumed!.request).toMatchObject(SESSIONLESS)
    bench.answer(resumed!, { 1: { records: batch(0, 2) } })
    bench.cursor(2)
    first.seek(50, -1)
    const [later] = bench.poll()
    expect([later!.isAside, partitionsOf(later)]).toEqual([true, [0, 1, 2]])
    expect(later!.request.topics[0]!.partitions.map(({ fetchOffset }) => fetchOffset)).toEqual([50n, 2n, 0n])
    bench.answer(later!, { 0: { records: batch(50, 1) } })
    expect(bench.offsets()).toEqual([0, 1, 50])
    bench.answer(waiting, {})
    expect(bench.poll()[0]!.request).toMatchObject({ sessionId: 1, sessionEpoch: 1, forgottenTopicsData: [] })
  })

  test('only the fetch that asks from where a partition stands now brings anything of it, in whatever order answers come', () => {
    for (const isLate of [false, true]) {
      const { bench, first, waiting } = waitingBench()
      first.seek(1, -1)
      const [aside] = bench.poll()
      if (isLate) bench.answer(aside!, { 0: { records: batch(1, 3) } })
      bench.answer(waiting, { 0: { records: batch(0, 4) } })
      if (!isLate) bench.answer(aside!, { 0: { records: batch(1, 3) } })
      expect(bench.offsets()).toEqual([1, 2, 3])
    }
  })

  test('a partition that was moved back to where it was asked for is read once', () => {
    const { bench, first, waiting } = waitingBench()
    first.seek(9, -1)
    first.seek(0, -1)
    const [aside] = bench.poll()
    bench.answer(waiting, { 0: { records: batch(0, 2) } })
    expect(bench.offsets()).toEqual([])
    bench.answer(aside!, { 0: { records: batch(0, 2) } })
    expect([bench.offsets(), first.position]).toEqual([[0, 1], 2])
  })

  test('what had nothing beside it is asked for with the others when it is back, or when it moves', () => {
    const { bench, second, waiting } = waitingBench()
    second.resume()
    bench.answer(bench.poll()[0]!, {})
    expect([bench.poll(), bench.fetcher.deadline]).toEqual([[], Infinity])
    second.seek(7, -1)
    const [moved] = bench.poll()
    expect([moved!.isAside, partitionsOf(moved)]).toEqual([true, [1]])
    bench.answer(moved!, {})
    bench.answer(waiting, {})
    const [next] = bench.poll()
    expect([next!.isAside, next!.request.maxWaitMs, partitionsOf(next)]).toEqual([false, 500, [0, 1]])
  })

  test('less than fetchMinBytes is nothing to go on with, so that a slow trickle is not fetched record by record', () => {
    const { bench, second, waiting } = waitingBench({ fetchMinBytes: 1_000 })
    second.resume()
    bench.answer(bench.poll()[0]!, { 1: { records: batch(0, 1) } })
    expect([bench.poll(), bench.offsets()]).toEqual([[], [0]])
    bench.answer(waiting, {})
    expect(partitionsOf(bench.poll()[0])).toEqual([0, 1])
  })

  test('there is one fetch beside it at a time', () => {
    const { bench, second } = waitingBench()
    second.resume()
    const [aside] = bench.poll()
    bench.cursor(2)
    expect(bench.poll()).toEqual([])
    bench.answer(aside!, {})
    expect(partitionsOf(bench.poll()[0])).toEqual([2])
  })

  test('a fetch beside it that is refused or has no answer leaves the session as it is', () => {
    for (const end of ['refused', 'unanswered']) {
      const { bench, second, waiting } = waitingBench()
      second.resume()
      const [aside] = bench.poll()
      if (end === 'refused') bench.answer(aside!, {}, ErrorCode.UNKNOWN_SERVER_ERROR)
      else bench.fetcher.fetchFailed(aside!, new KafkaError('CONNECTION_CLOSED', 'cut', { retriable: true }), bench.now)
      expect([end, bench.poll(), bench.fetcher.deadline]).toEqual([end, [], bench.now + 100])
      bench.now += 100
      const [again] = bench.poll()
      expect(partitionsOf(again)).toEqual([1])
      bench.answer(waiting, {})
      // Its answer is near, and what it asks for is to be in the session then.
      expect(bench.poll()).toEqual([])
      bench.answer(again!, {})
      const [next] = bench.poll()
      expect(next!.request).toMatchObject({ sessionId: 1, sessionEpoch: 1 })
      expect(partitionsOf(next)).toEqual([0, 1])
    }
  })

  test('a partition that is refused beside it is tried again after a backoff', () => {
    const { bench, second } = waitingBench()
    second.resume()
    bench.answer(bench.poll()[0]!, { 1: { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER } })
    expect([bench.poll(), bench.fetcher.deadline]).toEqual([[], bench.now + 100])
    bench.now += 100
    expect(partitionsOf(bench.poll()[0])).toEqual([1])
  })

  test('the replica that the leader names is asked at once, also when a fetch waits there', () => {
    const bench = new FetchBench()
    bench.cursor(0)
    bench.fetch({ 0: { preferredReadReplica: 2 } })
    const [atReplica] = bench.poll()
    expect([atReplica!.node, atReplica!.isAside]).toEqual([2, false])
    bench.cursor(1)
    const [atLeader] = bench.poll()
    expect([atLeader!.node, atLeader!.isAside]).toEqual([1, false])
    bench.answer(atLeader!, { 1: { preferredReadReplica: 2 } })
    const [aside] = bench.poll()
    expect([aside!.node, aside!.isAside, partitionsOf(aside)]).toEqual([2, true, [1]])
  })
})

test('nothing is asked beside a fetch that does not wait: its answer is near', () => {
  const bench = new FetchBench({ maxPartitionFetchBytes: 100 })
  bench.cursor(0)
  bench.cursor(1)
  bench.fetch({ 0: { records: batch(0, 10) } })
  const [call] = bench.poll()
  expect([call!.request.maxWaitMs, partitionsOf(call)]).toEqual([0, [1]])
  bench.cursor(2)
  expect(bench.poll()).toEqual([])
  bench.answer(call!, {})
  // The new one does not wait until the other may have something again.
  expect(partitionsOf(bench.poll()[0])).toEqual([1, 2])
})

test('what is consumed is a reason to plan a fetch only when a broker can be asked', () => {
  const bench = new FetchBench({ maxPartitionFetchBytes: 100 })
  bench.cursor(0)
  bench.cursor(1)
  bench.fetch({ 0: { records: batch(0, 10) } })
  const [near] = bench.poll()
  bench.offsets()
  expect(bench.fetcher.hasRoom).toBe(false)
  bench.answer(near!, { 1: { records: batch(0, 10) } })
  const [waiting] = bench.poll()
  expect([partitionsOf(waiting), waiting!.request.maxWaitMs]).toEqual([[0], 0])
})
