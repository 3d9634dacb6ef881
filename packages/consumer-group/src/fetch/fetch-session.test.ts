import { ErrorCode } from '@millrace/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FetchSession, type FetchTarget, type PlannedFetch } from './fetch-session.ts'

function target(partition: number, fetchOffset: number, topicId = 'id'): FetchTarget {
  return { topic: 't', topicId, partition, fetchOffset, leaderEpoch: 0, maxBytes: 100 }
}

/** What a broker makes of the plans: the partitions of its session (Kafka's FetchManager). */
class ModelBroker {
  #id = 0
  #epoch = 0
  #partitions = new Map<string, FetchTarget>()
  #nextId = 1

  /** The session id to answer with, or the error. */
  fetch(planned: PlannedFetch): { errorCode: number; sessionId: number } {
    if (planned.sessionEpoch === 0) {
      this.#id = this.#nextId++
      this.#epoch = 1
      this.#partitions = new Map()
    } else {
      if (planned.sessionId !== this.#id) return { errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND, sessionId: 0 }
      if (planned.sessionEpoch !== this.#epoch) return { errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH, sessionId: 0 }
      this.#epoch++
    }
    for (const one of planned.targets) this.#partitions.set(`${one.topicId} ${one.partition}`, one)
    for (const one of planned.forgotten) this.#partitions.delete(`${one.topicId} ${one.partition}`)
    return { errorCode: ErrorCode.NONE, sessionId: this.#id }
  }

  evict(): void {
    this.#id = -1
  }

  get fetched(): FetchTarget[] {
    return [...this.#partitions.values()].sort((a, b) => a.partition - b.partition)
  }
}

describe('a fetch session', () => {
  test('begins with everything, then says only what changed', () => {
    const session = new FetchSession()
    expect(session.plan([target(0, 5), target(1, 7)])).toMatchObject({
      sessionId: 0,
      sessionEpoch: 0,
      targets: [{}, {}],
      forgotten: [],
    })
    session.answered(42)
    expect(session.plan([target(0, 5), target(1, 9)])).toEqual({
      sessionId: 42,
      sessionEpoch: 1,
      targets: [target(1, 9)],
      forgotten: [],
    })
    session.answered(42)
    expect(session.plan([target(1, 9)])).toEqual({ sessionId: 42, sessionEpoch: 2, targets: [], forgotten: [target(0, 5)] })
  })

  test('stays full with a broker that keeps no sessions', () => {
    const session = new FetchSession()
    for (let round = 0; round < 3; round++) {
      expect(session.plan([target(0, round)])).toMatchObject({ sessionId: 0, sessionEpoch: 0, targets: [{}] })
      session.answered(0)
    }
  })

  test('closes the old one and begins anew when it is not certain what the broker saw', () => {
    const session = new FetchSession()
    session.plan([target(0, 5)])
    session.answered(42)
    session.plan([target(0, 6)])
    session.failed()
    expect(session.plan([target(0, 6)])).toEqual({ sessionId: 42, sessionEpoch: 0, targets: [target(0, 6)], forgotten: [] })
  })

  test('forgets a topic that was made anew under its old id', () => {
    const session = new FetchSession()
    session.plan([target(0, 5, 'old')])
    session.answered(42)
    expect(session.plan([target(0, 0, 'new')])).toMatchObject({
      targets: [target(0, 0, 'new')],
      forgotten: [target(0, 5, 'old')],
    })
  })

  test('always has the broker fetch exactly what is wanted, whatever is lost, refused and evicted', () => {
    const wanted = fc.uniqueArray(fc.record({ partition: fc.nat(4), offset: fc.nat(3), id: fc.constantFrom('a', 'b') }), {
      selector: ({ partition }) => partition,
    })
    const round = fc.record({ wanted, fate: fc.constantFrom('ok', 'ok', 'ok', 'request-lost', 'answer-lost', 'evicted') })
    fc.assert(
      fc.property(fc.array(round, { maxLength: 30 }), (rounds) => {
        const session = new FetchSession()
        const broker = new ModelBroker()
        for (const { wanted: list, fate } of rounds) {
          const targets = list
            .map(({ partition, offset, id }) => target(partition, offset, id))
            .sort((a, b) => a.partition - b.partition)
          if (fate === 'evicted') broker.evict()
          const planned = session.plan(targets)
          if (fate === 'request-lost') {
            session.failed()
            continue
          }
          const { errorCode, sessionId } = broker.fetch(planned)
          expect(errorCode === ErrorCode.NONE ? broker.fetched : targets).toEqual(targets)
          if (fate === 'answer-lost') session.failed()
          else if (errorCode === ErrorCode.NONE) session.answered(sessionId)
          else session.refused(errorCode)
        }
      }),
      { numRuns: 500 },
    )
  })
})
