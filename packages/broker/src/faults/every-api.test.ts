import { encodeRequestFrame } from '@millrace/protocol/internal'
import { describe, expect, test } from 'vitest'
import { startBroker, type ManualClock, type TestBroker } from '../../test/core-fixtures.ts'
import { namingRequest } from '../../test/fault-requests.ts'
import type { AnyHandler } from '../core/handler.ts'
import { allHandlers } from '../handlers/all-handlers.ts'
import type { FaultAnswer } from './fault-options.ts'

/** A broker with a topic or two, one connection that has sent a request of this API, and what came of it. */
class Scene {
  readonly broker: TestBroker = startBroker()
  readonly clock: ManualClock = this.broker.clock
  readonly #chunks: Buffer[] = []
  isClosed = false
  readonly #session = this.broker.core.connect({
    write: (chunks) => void this.#chunks.push(...chunks),
    close: () => void (this.isClosed = true),
  })
  readonly #frame: Buffer

  constructor({ api, maxVersion }: AnyHandler, answer: FaultAnswer | null) {
    const ids: [string, string] = [this.broker.createTopic('orders', 2), this.broker.createTopic('payments', 2)]
    if (answer !== null) this.broker.core.door.faults.add({ api: api.name, answer })
    this.broker.core.door.requests.start()
    this.#frame = Buffer.concat(encodeRequestFrame(api, maxVersion, 7, 'test', namingRequest(api.name, maxVersion, ids)))
    this.#session.receive(this.#frame)
    // What waits by itself is answered by now, unless the fault is in the way.
    this.clock.advance(SERVED_MS)
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  /** In the journal: what became of each request. */
  get outcomes(): string[] {
    return this.broker.core.door.requests.list().map(({ outcome }) => outcome)
  }

  sendAgain(): void {
    this.#session.receive(this.#frame)
    this.clock.advance(SERVED_MS)
  }
}

const SERVED_MS = 10_000

describe.each(allHandlers.map((handler): [string, AnyHandler] => [handler.api.name, handler]))('%s', (_, handler) => {
  const whole = new Scene(handler, null).bytes

  test('answers the same twice when no fault is in the way', () => {
    expect(whole.length).toBe(4 + whole.readInt32BE(0))
    expect(new Scene(handler, null).bytes).toEqual(whole)
  })

  test('is cut before and after', () => {
    for (const cut of ['before', 'after'] as const) {
      const scene = new Scene(handler, { cut })
      expect([scene.bytes.length, scene.isClosed, scene.outcomes]).toEqual([0, true, ['cut']])
    }
  })

  test('is answered in part', () => {
    const sizes = new Set([0, 1, 3, 4, 5, 7, 8, whole.length >> 1, whole.length - 1, whole.length, whole.length + 1])
    for (const cutReplyAfterBytes of sizes) {
      const scene = new Scene(handler, { cutReplyAfterBytes })
      expect(scene.bytes).toEqual(whole.subarray(0, cutReplyAfterBytes))
      expect([scene.isClosed, scene.outcomes]).toEqual([true, ['cut']])
    }
  })

  test('is answered late', () => {
    const scene = new Scene(handler, { delayMs: 60_000 })
    expect([scene.bytes.length, scene.outcomes]).toEqual([0, ['waiting']])
    scene.clock.advance(60_000 - SERVED_MS)
    // A fetch had to wait by itself first.
    scene.clock.advance(SERVED_MS)
    expect(scene.bytes).toEqual(whole)
    expect([scene.isClosed, scene.outcomes]).toEqual([false, ['answered']])
  })

  test('is never answered, nor is anything behind it', () => {
    const scene = new Scene(handler, 'never')
    scene.sendAgain()
    scene.clock.advance(1_000_000)
    expect([scene.bytes.length, scene.isClosed, scene.outcomes]).toEqual([0, false, ['waiting']])
    scene.broker.core.close()
    expect([scene.isClosed, scene.outcomes, scene.clock.pending]).toEqual([true, ['cut'], 0])
  })

  test('is answered, and those behind it when the throttle time is over', () => {
    const scene = new Scene(handler, { throttleTimeMs: 60_000 })
    const { length } = scene.bytes
    expect(length).toBe(whole.length)
    scene.sendAgain()
    expect(scene.bytes.length).toBe(length)
    scene.clock.advance(60_000 + SERVED_MS)
    expect(scene.bytes.length).toBeGreaterThan(length)
    expect(scene.outcomes).toEqual(['answered', 'answered'])
  })
})
