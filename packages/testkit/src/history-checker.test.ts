import { describe, expect, test } from 'vitest'
import { History } from './history.ts'
import { checkHistory, type AnomalyKind } from './history-checker.ts'

const at = (offset: number, partition = 't-0'): { partition: string; offset: number } => ({ partition, offset })

/** A producer writes a, b, c to offsets 0, 1, 2 and a group member reads and commits them all. */
function goodHistory(): History {
  const history = new History()
  history.member('c1', 'g')
  for (const [offset, value] of ['a', 'b', 'c'].entries()) {
    history.send('p', value)
    history.acked('p', value, at(offset))
  }
  history.assigned('c1', 't-0')
  for (const [offset, value] of ['a', 'b', 'c'].entries()) history.polled('c1', value, at(offset))
  history.committed('g', at(3))
  return history
}

function kinds(history: History, readToEnd = true): AnomalyKind[] {
  return checkHistory(history, { readToEnd }).map((anomaly) => anomaly.kind)
}

describe('checkHistory', () => {
  test('finds nothing in a history without fault', () => {
    expect(checkHistory(goodHistory(), { readToEnd: true })).toEqual([])
  })

  test('lost-write: readers went past an acknowledged record', () => {
    const history = goodHistory()
    history.send('p', 'lost')
    history.acked('p', 'lost', at(3))
    history.send('p', 'd')
    history.acked('p', 'd', at(4))
    history.assigned('c1', 't-0')
    history.polled('c1', 'd', at(4))
    expect(kinds(history, false)).toEqual(['lost-write'])
  })

  test('unseen: an acknowledged record at the end of a log that was read to its end', () => {
    const history = goodHistory()
    history.send('p', 'd')
    history.acked('p', 'd', at(3))
    expect(kinds(history, true)).toEqual(['unseen'])
    expect(kinds(history, false)).toEqual([])
  })

  test('a record whose fate is unknown may be there or not', () => {
    const history = goodHistory()
    history.send('p', 'maybe')
    history.unknown('p', 'maybe', new Error('timed out'))
    expect(kinds(history)).toEqual([])
    history.polled('c1', 'maybe', at(3))
    expect(kinds(history)).toEqual([])
  })

  test('duplicate: one value at two offsets', () => {
    const history = goodHistory()
    history.polled('c1', 'c', at(3))
    expect(kinds(history)).toEqual(['duplicate'])
    expect(checkHistory(history, { readToEnd: true, idempotent: false })).toEqual([])
  })

  test('inconsistent-offsets: two values at one offset', () => {
    const history = goodHistory()
    history.send('p', 'x')
    history.assigned('c2', 't-0')
    history.polled('c2', 'x', at(1))
    expect(kinds(history)).toEqual(['inconsistent-offsets'])
  })

  test('never-sent: a value out of nowhere', () => {
    const history = goodHistory()
    history.polled('c1', 'ghost', at(3))
    expect(kinds(history)).toEqual(['never-sent'])
  })

  test('nonmonotonic-send: a later record before an earlier one', () => {
    const history = new History()
    for (const value of ['a', 'b']) history.send('p', value)
    history.acked('p', 'b', at(0))
    history.acked('p', 'a', at(1))
    expect(kinds(history, false)).toEqual(['nonmonotonic-send'])
  })

  test('nonmonotonic-poll: a reader goes back without a new assignment', () => {
    const history = goodHistory()
    history.polled('c1', 'b', at(1))
    expect(kinds(history)).toEqual(['nonmonotonic-poll'])
    const again = goodHistory()
    again.assigned('c1', 't-0')
    again.polled('c1', 'b', at(1))
    expect(kinds(again)).toEqual([])
  })

  test('poll-skip: a reader leaves out a record that is there', () => {
    const history = goodHistory()
    history.assigned('c2', 't-0')
    history.polled('c2', 'a', at(0))
    history.polled('c2', 'c', at(2))
    expect(kinds(history)).toEqual(['poll-skip'])
  })

  test('commit-skip: a group commits past what its members saw', () => {
    const history = goodHistory()
    history.member('other', 'h')
    history.assigned('other', 't-0')
    history.polled('other', 'a', at(0))
    history.committed('h', at(1))
    expect(kinds(history)).toEqual([])
    history.committed('h', at(2))
    expect(checkHistory(history, { readToEnd: true })).toEqual([
      { kind: 'commit-skip', message: 'h committed t-0@2; none of its members saw 1' },
    ])
  })
})
