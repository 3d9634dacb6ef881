import { describe, expect, test } from 'vitest'
import type { AnomalyKind } from './anomaly.ts'
import { topicOf, History, type Order, type Owner, type Place } from './history.ts'
import { checkHistory, type CheckOptions } from './history-checker.ts'

const P = 't-0'
const at = (offset: number, partition = P): Place => ({ partition, offset })
const VALUES = ['a', 'b', 'c'] as const

/** Who joins, gets `t-0` in generation 1 and has read nothing yet. */
function withMembers(...orders: readonly Order[]): History {
  const history = new History()
  for (const [index, order] of orders.entries())
    history.add('member', { consumer: `c${index + 1}`, identity: `c${index + 1}`, group: 'g', order })
  owners(history, [owner('c1', [P])])
  take(history, 'c1', P)
  history.add('owns', { consumer: 'c1', generation: 1, partitions: [P] })
  return history
}

/** A producer writes a, b, c to offsets 0, 1, 2, and a member handles and commits them all. */
function good(order: Order = 'partition', keys: readonly string[] = []): History {
  const history = withMembers(order, order)
  for (const [offset, value] of VALUES.entries()) put(history, value, at(offset))
  for (const [offset, value] of VALUES.entries()) {
    poll(history, 'c1', value, at(offset), keys[offset])
    done(history, 'c1', value, at(offset))
  }
  write(history, 3)
  return history
}

function put(history: History, value: string, place: Place): void {
  history.send('p', value)
  history.acked('p', value, place)
  history.add('stored', { topicId: 'id', value, place })
}

function poll(history: History, consumer: string, value: string, place: Place, key?: string): void {
  history.add('polled', { consumer, value, place, ...(key === undefined ? {} : { key }) })
}

function done(history: History, consumer: string, value: string, place: Place): void {
  history.add('handled', { consumer, value, place })
}

function write(history: History, offset: number): void {
  history.add('wrote', { group: 'g', topicId: 'id', place: at(offset) })
}

function owner(identity: string, partitions: readonly string[], generation = 1): Owner {
  return { memberId: `${identity}-id`, identity, generation, partitions, partitionIds: partitions }
}

function owners(history: History, members: readonly Owner[]): void {
  history.add('owners', { group: 'g', members })
}

function take(history: History, consumer: string, partition: string): void {
  history.add('assigned', { consumer, partition })
}

function kinds(history: History, options?: CheckOptions): AnomalyKind[] {
  return [...new Set(checkHistory(history, options).map(({ kind }) => kind))]
}

test.each(['partition', 'batch', 'key', 'none'] as const)('nothing is found where all is well: order by %s', (order) => {
  expect(checkHistory(good(order, ['k', 'k', 'l']))).toEqual([])
})

const CASES: ReadonlyArray<readonly [string, AnomalyKind, (history: History) => void]> = [
  ['an acknowledged record that is gone', 'lost-write', (history) => (history.send('p', 'd'), history.acked('p', 'd', at(3)))],
  ['a record that nobody handled', 'unseen', (history) => put(history, 'd', at(3))],
  [
    'a record that was handed out, and never handled',
    'unseen',
    (history) => (put(history, 'd', at(3)), poll(history, 'c1', 'd', at(3))),
  ],
  ['one value at two offsets', 'duplicate', (history) => history.add('stored', { topicId: 'id', value: 'c', place: at(3) })],
  ['two values at one offset', 'inconsistent-offsets', (history) => (history.send('p', 'x'), poll(history, 'c1', 'x', at(2)))],
  ['a value out of nowhere', 'never-sent', (history) => poll(history, 'c1', 'ghost', at(3))],
  [
    'a later record before an earlier one',
    'nonmonotonic-send',
    (history) => {
      history.send('p', 'x')
      history.send('p', 'y')
      history.acked('p', 'y', at(3))
      history.acked('p', 'x', at(4))
    },
  ],
  ['two owners in what the coordinator wrote', 'two-owners', (history) => owners(history, [owner('c1', [P]), owner('c2', [P])])],
  [
    'two owners in one generation, by what they say, one after the other',
    'two-owners-in-generation',
    (history) => history.add('owns', { consumer: 'c2', generation: 1, partitions: [P] }),
  ],
  [
    'a member with what it was never given',
    'not-assigned',
    (history) => history.add('owns', { consumer: 'c1', generation: 1, partitions: [P, 't-1'] }),
  ],
  [
    'a partition that goes to another while a member of the group has it',
    'overlap',
    (history) => (owners(history, [owner('c1', [], 2), owner('c2', [P], 2)]), take(history, 'c2', P)),
  ],
  ['a reader of what it does not have', 'unowned-poll', (history) => poll(history, 'c2', 'a', at(0))],
  [
    'a reader of what it has given up',
    'unowned-poll',
    (history) => (history.add('released', { consumer: 'c1', partition: P }), poll(history, 'c1', 'c', at(2))),
  ],
  ['a reader that goes back', 'nonmonotonic-poll', (history) => poll(history, 'c1', 'b', at(1))],
  [
    'a reader that leaves something out',
    'poll-skip',
    (history) => {
      take(history, 'c1', P)
      poll(history, 'c1', 'a', at(0))
      done(history, 'c1', 'a', at(0))
      poll(history, 'c1', 'c', at(2))
    },
  ],
  [
    'two records of a partition that are handled at once',
    'not-one-by-one',
    (history) => (take(history, 'c1', P), poll(history, 'c1', 'a', at(0)), poll(history, 'c1', 'b', at(1))),
  ],
  ['a commit that goes back', 'commit-back', (history) => write(history, 2)],
  [
    'two steps back for one wish',
    'commit-back',
    (history) => {
      history.add('sought', { consumer: 'c1', partition: P, offset: 1 })
      write(history, 1)
      write(history, 3)
      write(history, 2)
    },
  ],
  [
    'a commit of what was handled only afterwards',
    'commit-skip',
    (history) => {
      put(history, 'd', at(3))
      poll(history, 'c1', 'd', at(3))
      write(history, 4)
      done(history, 'c1', 'd', at(3))
    },
  ],
  [
    'a commit that was told and never written',
    'commit-lost',
    (history) => history.add('committed', { group: 'g', place: at(2) }),
  ],
]

test.each(CASES)('is noticed: %s', (_, kind, spoil) => {
  const history = good()
  spoil(history)
  expect(kinds(history)).toContain(kind)
})

describe('order by key', () => {
  test.each([
    ['the same key', 'k', ['not-one-by-one']],
    ['another key', 'l', []],
    ['no key', undefined, []],
  ] as const)('two at once with %s', (_, key, expected) => {
    const history = good('key')
    take(history, 'c1', P)
    poll(history, 'c1', 'a', at(0), key === undefined ? undefined : 'k')
    poll(history, 'c1', 'b', at(1), key)
    expect(kinds(history)).toEqual(expected)
  })

  test('a key goes back, another does not', () => {
    const history = good('key')
    take(history, 'c1', P)
    for (const [offset, value] of [...VALUES.entries()].reverse()) {
      poll(history, 'c1', value, at(offset), offset === 0 ? 'l' : 'k')
      done(history, 'c1', value, at(offset))
    }
    expect(checkHistory(history).map(({ message }) => message)).toEqual(['c1 polled b at t-0@1 after offset 2'])
  })
})

test('order by none: nothing is begun twice', () => {
  const history = good('none')
  take(history, 'c1', P)
  for (const offset of [2, 0, 1]) poll(history, 'c1', VALUES[offset]!, at(offset))
  expect(kinds(history)).toEqual([])
  done(history, 'c1', 'a', at(0))
  poll(history, 'c1', 'a', at(0))
  expect(kinds(history)).toEqual(['nonmonotonic-poll'])
})

describe('what may happen:', () => {
  const cases: ReadonlyArray<readonly [string, (history: History) => void]> = [
    ['a partition that comes again begins anew', (history) => (take(history, 'c1', P), poll(history, 'c1', 'b', at(1)))],
    [
      'whoever seeks back reads and commits again',
      (history) => {
        history.add('sought', { consumer: 'c1', partition: P, offset: 1 })
        poll(history, 'c1', 'b', at(1))
        write(history, 2)
      },
    ],
    [
      'whoever seeks, in a topic that was made anew, beyond its end begins with it',
      (history) => {
        history.add('deleted', { topic: topicOf(P) })
        history.add('sought', { consumer: 'c1', partition: P, offset: 3 })
        write(history, 2)
      },
    ],
    [
      'what failed is begun again',
      (history) => {
        take(history, 'c1', P)
        poll(history, 'c1', 'a', at(0))
        history.add('failed', { consumer: 'c1', place: at(0) })
        poll(history, 'c1', 'a', at(0))
      },
    ],
    ['one that was put out does not know it yet', (history) => (owners(history, [owner('c2', [P], 2)]), take(history, 'c2', P))],
    [
      'one that has crashed has nothing any more',
      (history) => {
        history.add('crashed', { consumer: 'c1' })
        owners(history, [owner('c1', [], 2), owner('c2', [P], 2)])
        take(history, 'c2', P)
      },
    ],
    ['nobody knows whether it is stored', (history) => (history.send('p', 'x'), history.unknown('p', 'x', new Error('late')))],
    [
      'a topic is deleted with what is in it',
      (history) => {
        history.send('p', 'x')
        history.acked('p', 'x', at(0, 'u-0'))
        history.add('deleted', { topic: 'u' })
      },
    ],
    [
      'a static member comes back in the same generation',
      (history) => {
        history.add('member', { consumer: 'c3', identity: 's', group: 'g', order: 'none' })
        history.add('member', { consumer: 'c4', identity: 's', group: 'g', order: 'none' })
        owners(history, [owner('s', ['t-1'], 2)])
        for (const consumer of ['c3', 'c4']) {
          take(history, consumer, 't-1')
          history.add('owns', { consumer, generation: 2, partitions: ['t-1'] })
        }
      },
    ],
  ]
  test.each(cases)('%s', (_, happen) => {
    const history = good()
    happen(history)
    expect(checkHistory(history)).toEqual([])
  })
})

test('copies are not duplicates, and what need not be read is not missed', () => {
  const history = good()
  for (const topic of ['retry', 'dead']) history.add('stored', { topicId: topic, value: 'a', place: at(0, `${topic}-0`) })
  expect(kinds(history)).toEqual(['duplicate', 'unseen'])
  expect(kinds(history, { copyTopics: ['retry', 'dead'], unreadTopics: ['dead'] })).toEqual(['unseen'])
  done(history, 'c1', 'a', at(0, 'retry-0'))
  expect(kinds(history, { copyTopics: ['retry', 'dead'], unreadTopics: ['dead'] })).toEqual([])
})
