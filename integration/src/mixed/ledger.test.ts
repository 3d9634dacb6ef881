import { expect, test } from 'vitest'
import { anomalies, repeats, type Account, type Ledger } from './ledger.ts'
import type { MemberEvent } from './member-events.ts'

const assigned = (timestamp: number, ...partitions: number[]): MemberEvent => ({
  name: 'partitions_assigned',
  timestamp,
  partitions: partitions.map((partition) => ({ partition })),
})
const revoked = (timestamp: number, ...partitions: number[]): MemberEvent => ({
  name: 'partitions_revoked',
  timestamp,
  partitions: partitions.map((partition) => ({ partition })),
})
const read = (timestamp: number, offset: number, key: string | null = null): MemberEvent => ({
  name: 'record_data',
  timestamp,
  topic: 't',
  partition: 0,
  offset,
  key,
  value: `value ${offset}`,
})

/** Three records in partition 0, which `one` reads from 1 to 5 and `two` from 5 on. */
function ledger(one: Partial<Account>, two: Partial<Account> = {}, committed: readonly number[] = []): Ledger {
  return {
    accounts: [
      { name: 'one', events: [assigned(1, 0), read(2, 0), read(3, 1), revoked(5, 0)], endedAt: 9, order: 'partition', ...one },
      { name: 'two', events: [assigned(5, 0), read(6, 2)], endedAt: null, order: 'partition', ...two },
    ],
    produced: [0, 1, 2].map((offset) => ({ value: `value ${offset}`, partition: 0, offset })),
    samples: committed.map((offset, index) => ({ at: 3 + index, offsets: new Map([[0, offset]]) })),
  }
}

test('a sound group has no anomalies and no repeats', () => {
  const sound = ledger({}, {}, [1, 2, 2, 3])
  expect(anomalies(sound)).toEqual([])
  expect(repeats(sound)).toEqual([])
})

test.each<[what: string, Ledger, RegExp]>([
  ['a record that nobody read', ledger({}, { events: [assigned(5, 0)] }), /^unseen: value 2/],
  ['a record that was passed over', ledger({ events: [assigned(1, 0), read(3, 1), revoked(5, 0)] }), /^unseen: value 0/],
  [
    'records out of order',
    ledger({ events: [assigned(1, 0), read(2, 1), read(3, 0), revoked(5, 0)] }),
    /^nonmonotonic-poll: one/,
  ],
  [
    'two owners at once',
    ledger({ events: [assigned(1, 0), read(2, 0), read(3, 1), revoked(6, 0)] }),
    /^two owners: two took 0 at 5/,
  ],
  [
    'an owner that was killed later than another one began',
    ledger({ events: [assigned(1, 0), read(2, 0), read(3, 1)], endedAt: 7 }),
    /^two owners: two took 0 at 5/,
  ],
  [
    'a record after its partition was given up',
    ledger({ events: [assigned(1, 0), read(2, 0), revoked(3, 0), read(3, 1)] }),
    /^unowned-poll: one polled value 1 at topic-0@1/,
  ],
  ['a commit that goes back', ledger({}, {}, [2, 1]), /^commit-back: group committed topic-0@1 after offset 2/],
  ['a commit of what nobody has read', ledger({}, {}, [1, 3]), /^commit-skip: group committed topic-0@3/],
  [
    'records of a key out of order',
    ledger({ order: 'key', events: [assigned(1, 0), read(2, 1, 'k'), read(3, 0, 'k'), revoked(5, 0)] }),
    /^nonmonotonic-poll: one polled value 0 at topic-0@0 after offset 1/,
  ],
])('%s is found', (_, unsound, message) => {
  expect(anomalies(unsound)).toEqual([expect.stringMatching(message)])
})

test('records of different keys may come in any order where keys are what is ordered', () => {
  const events = [assigned(1, 0), read(2, 1, 'k'), read(3, 0, 'l'), revoked(5, 0)]
  expect(anomalies(ledger({ order: 'key', events }))).toEqual([])
})

test('a record that was read twice is named with both readers, in the order of time', () => {
  const twice = ledger({}, { events: [assigned(5, 0), read(6, 1), read(7, 2)] })
  expect(anomalies(twice)).toEqual([])
  expect(repeats(twice)).toEqual([{ place: '0@1', by: 'two', before: 'one' }])
  expect(repeats({ accounts: twice.accounts.toReversed() })).toEqual(repeats(twice))
})

test('a commit that is forgotten is found', () => {
  const samples = [
    { at: 4, offsets: new Map([[0, 2]]) },
    { at: 5, offsets: new Map<number, number>() },
  ]
  expect(anomalies({ ...ledger({}), samples })).toEqual(['commit forgotten: that of 0 at 5'])
})
