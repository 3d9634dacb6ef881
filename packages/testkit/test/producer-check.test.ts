import { KafkaError } from '@millrace/protocol'
import { SendAllError } from '@millrace/producer'
import { describe, expect, test } from 'vitest'
import { checkLedger, type FindingKind, type StoredValues, type World } from './producer-check.ts'
import { Ledger, type Call, type Way } from './producer-ledger.ts'

const WORLD: World = { lostPower: false, refusals: new Set(['INVALID_RECORD']), refusalsAreCertain: true }

interface Bench {
  now: number
  readonly ledger: Ledger
  readonly log: Map<string, string[]>
  /** Hands over records `p1.main.N`. */
  call(way: Way, ...numbers: number[]): Call
}

/** A producer that sent two records alone and three at once, all of which are stored in `t-0`. */
function wellDone(): Bench {
  const bench: Bench = {
    now: 1_000,
    ledger: new Ledger(() => bench.now),
    log: new Map([['t-0', [0, 1, 2, 3, 4].map((number) => `p1.main.${number}`)]]),
    call: (way, ...numbers) =>
      bench.ledger.call(
        'p1',
        't',
        way,
        numbers.map((number) => `p1.main.${number}`),
      ),
  }
  const { ledger, call } = bench
  ledger.producers.set('p1', { name: 'p1', acks: 'all', idempotent: true, inFlight: 5, withinMs: 500 })
  ledger.storedAt(call('send', 0), { partition: 0, offset: 0 })
  ledger.storedAt(call('post', 1), { partition: 0, offset: 1 })
  const range = { partition: 0, firstOffset: 2, lastOffset: 4, recordCount: 3, logAppendTime: -1 }
  ledger.storedAll(call('sendAll', 2, 3, 4), { topic: 't', recordCount: 3, ranges: [range] })
  return bench
}

function kindsIn({ ledger, log }: { ledger: Ledger; log: StoredValues }, world: World = WORLD): FindingKind[] {
  return [...new Set(checkLedger(ledger, log, world).map(({ kind }) => kind))]
}

test('nothing is found where all is well', () => {
  const bench = wellDone()
  expect(kindsIn(bench)).toEqual([])
  expect(bench.ledger.complaints).toEqual([])
})

describe('is noticed:', () => {
  const cases: [string, FindingKind[], (bench: Bench) => void][] = [
    ['an acknowledged record that is gone', ['lost'], ({ log }) => log.get('t-0')!.splice(0, 1, 'p2.main.0')],
    ['the end of a sendAll that is gone', ['lost'], ({ log }) => log.get('t-0')!.pop()],
    ['a record that is there twice', ['duplicate'], ({ log }) => log.get('t-0')!.push('p1.main.4')],
    ['a record in two partitions', ['duplicate'], ({ log }) => log.set('t-1', ['p1.main.3'])],
    [
      'a record that nobody was told of, behind a later one',
      ['out of order'],
      ({ log, call }) => {
        log.get('t-0')!.push('p1.main.6', 'p1.main.5')
        call('silent', 5)
        call('silent', 6)
      },
    ],
    [
      'two acknowledged records that changed places',
      ['misplaced', 'out of order'],
      ({ log }) => log.get('t-0')!.splice(0, 2, 'p1.main.1', 'p1.main.0'),
    ],
    ['a send without an outcome', ['no outcome'], ({ call }) => call('send', 7)],
    ['a stream without an outcome', ['no outcome'], ({ call }) => call('stream', 7)],
    ['two outcomes', ['two outcomes'], ({ ledger }) => ledger.storedAt(ledger.calls[0]!, { partition: 0, offset: 0 })],
    [
      'a success after a failure',
      ['two outcomes', 'stored though refused'],
      ({ ledger }) =>
        ledger.calls[1]!.outcomes.unshift({ kind: 'failed', at: 1_000, error: new KafkaError('BUFFER_EXHAUSTED', '') }),
    ],
    ['an error of no type', ['untyped error'], ({ ledger, call }) => ledger.failed(call('send', 7), new TypeError('oops'))],
    [
      'an error that no docstring names',
      ['undocumented error'],
      ({ ledger, call }) => ledger.failed(call('send', 7), new KafkaError('OUT_OF_ORDER_SEQUENCE_NUMBER', '')),
    ],
    [
      'an abort of what cannot be aborted',
      ['undocumented error'],
      ({ ledger, call }) => ledger.failed(call('post', 7), new KafkaError('ABORTED', '')),
    ],
    [
      'a refused record that is stored',
      ['stored though refused'],
      (bench) => {
        bench.log.get('t-0')!.push('p1.main.7')
        bench.ledger.failed(bench.call('send', 7), new KafkaError('INVALID_RECORD', ''))
      },
    ],
    [
      'a sendAll that was refused whole and is stored in part',
      ['stored though refused'],
      (bench) => {
        bench.log.get('t-0')!.push('p1.main.7')
        bench.ledger.failed(bench.call('sendAll', 7, 8), new KafkaError('PRODUCER_CLOSED', ''))
      },
    ],
    [
      'a sendAll that does not say of each record what became of it',
      ['miscounted'],
      ({ ledger, call }) =>
        ledger.failed(call('sendAll', 7, 8, 9), new SendAllError('t', [], 2, [], 3, new KafkaError('DELIVERY_TIMED_OUT', ''))),
    ],
    [
      'a wrong record of a sendAll that is stored',
      ['stored though refused'],
      ({ ledger, call, log }) => {
        log.get('t-0')!.push('p1.main.8')
        const error = new KafkaError('RECORD_TOO_LARGE', '')
        ledger.failed(call('sendAll', 7, 8), new SendAllError('t', [], 2, [{ index: 1, error }], 2, error))
      },
    ],
    [
      'an outcome that comes too late',
      ['late'],
      (bench) => {
        const call = bench.call('send', 7)
        bench.now += 501
        bench.ledger.failed(call, new KafkaError('DELIVERY_TIMED_OUT', ''))
      },
    ],
    ['a record that nobody sent', ['never sent'], ({ log }) => log.get('t-0')!.push('p9.main.0')],
    ['a posted record that is gone without a word', ['lost'], ({ call }) => call('silent', 7)],
    [
      'more failures than records',
      ['two outcomes'],
      ({ ledger, call, log }) => {
        call('silent', 7)
        log.get('t-0')!.push('p1.main.7')
        const error = new KafkaError('DELIVERY_TIMED_OUT', '')
        ledger.silentFailures.push({ producer: 'p1', topic: 't', recordCount: 2, error })
      },
    ],
    ['a stream that ended well and lost a record', ['lost'], ({ ledger, call }) => ledger.stored(call('stream', 7), null)],
  ]
  test.each(cases)('%s', (_, kinds, spoil) => {
    const bench = wellDone()
    spoil(bench)
    expect(kindsIn(bench).filter((kind) => kind !== 'never sent' || kinds.includes(kind))).toEqual(kinds)
  })
})

describe('weaker promises', () => {
  test('without idempotence a record may be there twice, and with one request in flight the first of each are in order', () => {
    const bench = wellDone()
    bench.ledger.producers.set('p1', { name: 'p1', acks: 'all', idempotent: false, inFlight: 1, withinMs: 500 })
    bench.log.get('t-0')!.push('p1.main.0', 'p1.main.1')
    expect(kindsIn(bench)).toEqual([])
    bench.ledger.storedAt(bench.call('send', 6), { partition: 0, offset: 7 })
    bench.ledger.storedAt(bench.call('send', 5), { partition: 0, offset: 8 })
    bench.log.get('t-0')!.push('p1.main.6', 'p1.main.5')
    expect(kindsIn(bench)).toEqual(['out of order'])
  })

  test('what acks 1 vouches for may go with the power, and what acks 0 sends at any time', () => {
    const bench = wellDone()
    bench.log.set('t-0', [])
    bench.ledger.producers.set('p1', { name: 'p1', acks: 1, idempotent: false, inFlight: 5, withinMs: 500 })
    expect(kindsIn(bench)).toEqual(['lost'])
    expect(kindsIn(bench, { ...WORLD, lostPower: true })).toEqual([])
    bench.ledger.producers.set('p1', { name: 'p1', acks: 0, idempotent: false, inFlight: 5, withinMs: 500 })
    expect(kindsIn(bench)).toEqual([])
  })
})
