import type { Api } from '@millrace/protocol'
import { heartbeatApi, type HeartbeatRequest, type HeartbeatResponse } from '@millrace/protocol/apis/heartbeat'
import { encodeRequestFrame } from '@millrace/protocol/internal'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, test } from 'vitest'
import { startBroker } from '../../test/core-fixtures.ts'
import { QUEUED_REQUESTS_MAX, REQUEST_BYTES_MAX, UNSENT_REPLY_BYTES_MAX } from '../limits.ts'
import { wholeErrors } from '../faults/error-shape.ts'
import { TestDoor } from '../faults/test-door.ts'
import { ApiRouter } from './api-router.ts'
import { BrokerEvents } from './broker-events.ts'
import { Deferred } from './deferred.ts'
import { NO_RESPONSE, type Handler, type RequestContext } from './handler.ts'
import { ServerSession } from './server-session.ts'
import { Turns } from './turns.ts'

type Reply = HeartbeatResponse | Deferred<HeartbeatResponse> | typeof NO_RESPONSE

const reply = (errorCode: number): HeartbeatResponse => ({ throttleTimeMs: 0, errorCode })

/** A session with one API whose behaviour the test decides, on a channel that the test watches. */
class Bench {
  readonly sent: number[] = []
  readonly handled: number[] = []
  readonly contexts: RequestContext[] = []
  /** What the session wants to know of each reply's way out. */
  readonly sentCallbacks: Array<(() => void) | undefined> = []
  unsentBytes = 0
  paused = false
  channelClosed = false
  readonly session: ServerSession
  readonly turns = new Turns()

  constructor(behaviour: (generation: number) => Reply) {
    const handler: Handler<HeartbeatRequest, HeartbeatResponse> = {
      api: heartbeatApi,
      minVersion: 0,
      maxVersion: 4,
      errors: wholeErrors(reply),
      handle: (request, context) => {
        this.handled.push(request.generationId)
        this.contexts.push(context)
        return behaviour(request.generationId)
      },
    }
    const unsentBytes = (): number => this.unsentBytes
    const channel = {
      write: (chunks: readonly Buffer[], sent?: () => void) => {
        this.sent.push(Buffer.concat(chunks).readInt32BE(4))
        this.sentCallbacks.push(sent)
      },
      close: () => void (this.channelClosed = true),
      pause: () => void (this.paused = true),
      resume: () => void (this.paused = false),
      get unsentBytes() {
        return unsentBytes()
      },
    }
    const { services } = startBroker().core
    this.session = new ServerSession(1, channel, {
      router: new ApiRouter([handler]),
      services,
      events: new BrokerEvents(),
      turns: this.turns,
      door: new TestDoor({ handlers: [handler], nodeId: 1, after: (ms, action) => services.clock.after(ms, action) }),
    })
  }

  /** The generation id doubles as correlation id, so that replies tell what they answer. */
  send(...generations: number[]): void {
    for (const generation of generations) this.session.receive(frame(generation))
  }
}

function frame(generation: number, version = 4, api: Api<HeartbeatRequest, HeartbeatResponse> = heartbeatApi): Buffer {
  const request = { groupId: 'g', generationId: generation, memberId: 'm', groupInstanceId: null }
  return Buffer.concat(encodeRequestFrame(api, version, generation, 'client', request))
}

describe('order', () => {
  test('a parked request holds back those behind it, and all are answered in order', () => {
    const parked = new Deferred<HeartbeatResponse>()
    const bench = new Bench((generation) => (generation === 2 ? parked : reply(0)))
    bench.send(1, 2, 3, 4)
    expect(bench.sent).toEqual([1])
    expect(bench.handled).toEqual([1, 2])
    bench.turns.run(() => {
      parked.complete(reply(0))
      expect(bench.sent).toEqual([1, 2])
      expect(bench.handled).toEqual([1, 2])
    })
    expect(bench.sent).toEqual([1, 2, 3, 4])
  })

  test('a request that wants no reply does not hold back the next', () => {
    const bench = new Bench((generation) => (generation === 1 ? NO_RESPONSE : reply(0)))
    bench.send(1, 2)
    expect(bench.sent).toEqual([2])
  })

  test('a reply that comes from outside any step lets the next request go on when the caller has returned', async () => {
    const parked = new Deferred<HeartbeatResponse>()
    const bench = new Bench((generation) => (generation === 1 ? parked : reply(0)))
    bench.send(1, 2)
    parked.complete(reply(0))
    expect(bench.sent).toEqual([1])
    await Promise.resolve()
    expect(bench.sent).toEqual([1, 2])
  })

  test('a Deferred that is complete already answers at once', () => {
    const done = new Deferred<HeartbeatResponse>()
    done.complete(reply(0))
    const bench = new Bench(() => done)
    bench.send(1)
    expect(bench.sent).toEqual([1])
  })

  test('frames are found however the bytes are cut', () => {
    const bench = new Bench(() => reply(0))
    const bytes = Buffer.concat([frame(1), frame(2), frame(3)])
    for (const byte of bytes) bench.session.receive(Buffer.from([byte]))
    expect(bench.sent).toEqual([1, 2, 3])
  })

  test('a parked reply that comes after the connection ended goes nowhere', () => {
    const parked = new Deferred<HeartbeatResponse>()
    const bench = new Bench(() => parked)
    bench.send(1, 2)
    bench.session.closed()
    parked.complete(reply(0))
    expect(bench.sent).toEqual([])
    expect(bench.handled).toEqual([1])
  })
})

describe('back-pressure', () => {
  test('input stops while too many requests wait behind a parked one, and goes on after', () => {
    const parked = new Deferred<HeartbeatResponse>()
    const bench = new Bench((generation) => (generation === 0 ? parked : reply(0)))
    const waiting = Array.from({ length: QUEUED_REQUESTS_MAX - 1 }, (_, i) => i + 1)
    bench.send(0, ...waiting)
    expect(bench.paused).toBe(false)
    bench.send(QUEUED_REQUESTS_MAX)
    expect(bench.paused).toBe(true)
    bench.turns.run(() => void parked.complete(reply(0)))
    expect(bench.paused).toBe(false)
    expect(bench.sent).toHaveLength(QUEUED_REQUESTS_MAX + 1)
  })

  test('a client that does not read gets no further requests handled until it does', () => {
    const bench = new Bench(() => reply(0))
    bench.unsentBytes = UNSENT_REPLY_BYTES_MAX + 1
    bench.send(1, 2)
    expect(bench.handled).toEqual([])
    bench.unsentBytes = 0
    bench.session.drained()
    expect(bench.sent).toEqual([1, 2])
  })
})

describe('bad input ends the connection and says why', () => {
  const cases: [string, Buffer, RegExp][] = [
    ['an API that is not served', set(frame(1), 4, 99), /API key 99 is not served/],
    ['a negative API key', set(frame(1), 4, -1), /API key -1 is not served/],
    ['a version above', set(frame(1), 6, 5), /Heartbeat v5 is not served \(v0-4\)/],
    ['a negative version', set(frame(1), 6, -1), /Heartbeat v-1 is not served/],
    ['a frame without a header', Buffer.from([0, 0, 0, 2, 0, 12]), /malformed request header/],
    ['a body cut short', cut(frame(1), 3), /malformed Heartbeat v4/],
    ['a length beyond the limit', int32(REQUEST_BYTES_MAX + 1), /malformed input: a frame of 104857601 bytes/],
    ['a negative length', int32(-5), /malformed input/],
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\n'), /may not speak the Kafka protocol/],
  ]
  test.each(cases)('%s', (_, bytes, reason) => {
    const bench = new Bench(() => expect.unreachable('a bad request reached its handler'))
    const reasons: unknown[] = []
    const listen = (event: unknown): unknown => reasons.push((event as { reason: string }).reason)
    subscribe('millrace.broker.connection.closed', listen)
    bench.session.receive(bytes)
    unsubscribe('millrace.broker.connection.closed', listen)
    expect(reasons).toEqual([expect.stringMatching(reason)])
    expect(bench.channelClosed).toBe(true)
    expect(bench.session.isClosed).toBe(true)
    bench.session.receive(frame(2))
    expect(bench.handled).toEqual([])
  })
})

test('bytes after the last field are let pass, as librdkafka needs', () => {
  const bench = new Bench(() => reply(0))
  bench.session.receive(longer(frame(1)))
  expect(bench.sent).toEqual([1])
})

test('a handler that throws cuts the connection and is reported as our defect', () => {
  const failures: unknown[] = []
  const listen = (event: unknown): unknown => failures.push(event)
  subscribe('millrace.broker.request.failed', listen)
  const bench = new Bench(() => {
    throw new Error('boom')
  })
  bench.send(1)
  unsubscribe('millrace.broker.request.failed', listen)
  expect(failures).toMatchObject([{ api: 'Heartbeat', version: 4, error: { message: 'boom' } }])
  expect(bench.channelClosed).toBe(true)
})

test('handlers learn when their reply was sent, be it at once or late', () => {
  const late = new Deferred<HeartbeatResponse>()
  const bench = new Bench((generation) => (generation === 2 ? late : reply(0)))
  const done: number[] = []
  bench.send(1)
  expect(bench.sentCallbacks).toEqual([undefined])
  bench.send(2)
  bench.contexts[1]!.whenSent(() => done.push(2))
  bench.turns.run(() => late.complete(reply(0)))
  expect(done).toEqual([])
  bench.sentCallbacks[1]!()
  expect(done).toEqual([2])
})

test('handlers learn who asks, and when the connection ends', () => {
  const bench = new Bench(() => reply(0))
  bench.send(1)
  const { connection, clientId, version } = bench.contexts[0]!
  expect({ clientId, version, host: connection.clientHost }).toEqual({ clientId: 'client', version: 4, host: '/127.0.0.1' })
  let ended = 0
  connection.onClose(() => ended++)
  const forget = connection.onClose(() => (ended += 100))
  forget()
  bench.session.closed()
  bench.session.closed()
  expect(ended).toBe(1)
})

function set(bytes: Buffer, position: number, value: number): Buffer {
  bytes.writeInt16BE(value, position)
  return bytes
}

function cut(bytes: Buffer, by: number): Buffer {
  const shorter = Buffer.from(bytes.subarray(0, bytes.length - by))
  shorter.writeInt32BE(shorter.length - 4, 0)
  return shorter
}

function longer(bytes: Buffer): Buffer {
  const long = Buffer.concat([bytes, Buffer.from([0])])
  long.writeInt32BE(long.length - 4, 0)
  return long
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value, 0)
  return bytes
}
