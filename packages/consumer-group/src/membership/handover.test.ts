import { describe, expect, test } from 'vitest'
import { EventSource } from '../events.ts'
import type { TopicPartition } from '../topic-partition.ts'
import { Handover, releaseInTime } from './handover.ts'
import type { PartitionOwner } from './membership.ts'
import { RebalanceHook } from './rebalance-hook.ts'
import type { RebalanceListener } from './rebalance-listener.ts'

type Call = [what: string, partitions: string]

class Bench {
  readonly calls: Call[] = []
  readonly failures: string[] = []
  readonly timers: Array<{ delayMs: number; action: () => void }> = []
  readonly handover: Handover
  revoking = Promise.withResolvers<void>()
  readonly clock = {
    now: () => 0,
    after: (delayMs: number, action: () => void) => {
      const timer = { delayMs, action }
      this.timers.push(timer)
      return { cancel: () => void this.timers.splice(this.timers.indexOf(timer), 1) }
    },
  }

  constructor(listener: RebalanceListener = {}) {
    const note =
      (what: string) =>
      (partitions: readonly TopicPartition[]): void =>
        void this.calls.push([what, textOf(partitions)])
    const owner: PartitionOwner = {
      assigning: note('assigning'),
      assigned: note('assigned'),
      revoked: note('revoked'),
      lost: note('lost'),
      revoking: (partitions) => {
        note('revoking')(partitions)
        return this.revoking.promise
      },
      failed: () => {},
      changed: () => {},
    }
    const events = new EventSource('g')
    events.on('rebalanceListenerFailed', ({ error }) => this.failures.push(error.message))
    this.handover = new Handover(owner, new RebalanceHook(listener, 500, this.clock, events))
  }

  /** What was called since, once all that is settled has had its turn. */
  async done(): Promise<Call[]> {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
    return this.calls.splice(0)
  }
}

function t(...partitions: number[]): TopicPartition[] {
  return partitions.map((partition) => ({ topic: 't', partition }))
}

function textOf(partitions: readonly TopicPartition[]): string {
  return partitions.map(({ partition }) => partition).join()
}

describe('handing over', () => {
  test('without a listener takes no turn', () => {
    const bench = new Bench()
    let isDone = false
    bench.handover.assign(t(0, 1), 1, () => (isDone = true))
    expect([isDone, bench.calls]).toEqual([
      true,
      [
        ['assigning', '0,1'],
        ['assigned', '0,1'],
      ],
    ])
  })

  test('lets the listener see what is assigned before it is fetched, and what is revoked after it is committed', async () => {
    const bench = new Bench({
      assigned: (partitions) => void bench.calls.push(['listener assigned', textOf(partitions)]),
      revoked: async (partitions) => void bench.calls.push(['listener revoked', textOf(partitions)]),
    })
    bench.handover.assign(t(0, 1), 1)
    let isRevoked = false
    bench.handover.revoke(t(1), () => (isRevoked = true))
    expect(await bench.done()).toEqual([
      ['assigning', '0,1'],
      ['listener assigned', '0,1'],
      ['assigned', '0,1'],
      ['revoking', '1'],
    ])
    bench.revoking.resolve()
    expect(await bench.done()).toEqual([
      ['listener revoked', '1'],
      ['revoked', '1'],
    ])
    expect(isRevoked).toBe(true)
  })

  test('does one change after the other', async () => {
    const slow = Promise.withResolvers<void>()
    const bench = new Bench({ assigned: () => slow.promise })
    bench.handover.assign(t(0), 1)
    bench.handover.revoke(t(0), () => {})
    expect(await bench.done()).toEqual([['assigning', '0']])
    slow.resolve()
    expect(await bench.done()).toEqual([
      ['assigned', '0'],
      ['revoking', '0'],
    ])
  })

  test('a loss is known at once, makes all that was to come void, and ends the wait for what is in hand', async () => {
    const bench = new Bench({ lost: (partitions) => void bench.calls.push(['listener lost', textOf(partitions)]) })
    bench.handover.assign(t(0, 1), 1)
    let isRevoked = false
    bench.handover.revoke(t(1), () => (isRevoked = true))
    bench.handover.assign(t(5), 2)
    await bench.done()
    let isLost = false
    bench.handover.lose('why', () => (isLost = true))
    bench.handover.assign(t(7), 3)
    expect(await bench.done()).toEqual([
      ['lost', '0,1'],
      ['listener lost', '0,1'],
      ['assigning', '7'],
      ['assigned', '7'],
    ])
    bench.revoking.resolve()
    expect([await bench.done(), isRevoked, isLost]).toEqual([[], false, true])
  })

  test('a loss while the listener is told of an assignment leaves nothing to fetch', async () => {
    const slow = Promise.withResolvers<void>()
    const bench = new Bench({ assigned: () => slow.promise })
    bench.handover.assign(t(0), 1)
    bench.handover.lose('why')
    slow.resolve()
    expect(await bench.done()).toEqual([
      ['assigning', '0'],
      ['lost', '0'],
    ])
  })

  test('tells the listener when the member leaves, and not of what it never had', async () => {
    const told: string[] = []
    const bench = new Bench({ revoked: (partitions) => void told.push(textOf(partitions)) })
    bench.handover.assign(t(0, 1), 1)
    await bench.handover.release()
    await bench.handover.release()
    expect(told).toEqual(['0,1'])
  })
})

describe('a listener', () => {
  test('that throws, rejects or does not end in time is told of with its call and its partitions, and what it held up goes on', async () => {
    let call = 0
    const bench = new Bench({
      assigned: () => {
        call++
        if (call === 1) throw new TypeError('first')
        return call === 2 ? Promise.reject(new Error('second')) : new Promise(() => {})
      },
    })
    for (const partition of [0, 1, 2]) bench.handover.assign(t(partition), 1)
    await bench.done()
    expect(bench.timers).toMatchObject([{ delayMs: 500 }])
    bench.timers[0]!.action()
    const calls = await bench.done()
    expect(calls.at(-1)).toEqual(['assigned', '2'])
    expect(bench.failures).toEqual([
      'rebalanceListener.assigned for t-0 threw TypeError: first',
      'rebalanceListener.assigned for t-1 failed with Error: second',
      'rebalanceListener.assigned for t-2 did not end within 500 ms',
    ])
  })

  test('that never ends does not keep a consumer from closing', async () => {
    const bench = new Bench({ revoked: () => new Promise(() => {}) })
    bench.handover.assign(t(0), 1)
    let isReleased = false
    void releaseInTime(bench.handover, bench.clock).then(() => (isReleased = true))
    await bench.done()
    expect(isReleased).toBe(false)
    bench.timers.find(({ delayMs }) => delayMs === 30_000)!.action()
    await bench.done()
    expect(isReleased).toBe(true)
    expect(bench.failures).toEqual(['rebalanceListener.revoked for t-0 did not end before the consumer left the group'])
  })

  test('that is late when the consumer closes leaves no timer behind, and is still told of what is given up', async () => {
    const told: string[] = []
    const bench = new Bench({
      assigned: () => new Promise(() => {}),
      revoked: (partitions) => {
        told.push(textOf(partitions))
        return new Promise(() => {})
      },
    })
    bench.handover.assign(t(0), 1)
    void releaseInTime(bench.handover, bench.clock)
    await bench.done()
    const [listener, closing] = bench.timers
    expect([listener!.delayMs, closing!.delayMs, told]).toEqual([500, 30_000, []])
    bench.timers.splice(bench.timers.indexOf(closing!), 1)
    closing!.action()
    await bench.done()
    expect([bench.timers, told]).toEqual([[], ['0']])
  })
})
