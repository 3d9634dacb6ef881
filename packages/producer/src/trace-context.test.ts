import { Broker } from '@millrace/broker'
import { Consumer } from '@millrace/consumer-group'
import { context, propagation, trace, TraceFlags } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ProducerEvents } from './events.ts'
import { Producer } from './producer.ts'
import type { MutableHeaders } from './serializer.ts'
import { addTraceContext, type TraceContextInjector } from './trace-context.ts'

let broker: Broker

beforeAll(async () => {
  broker = await Broker.start({ port: 0 })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
})

afterAll(async () => {
  context.disable()
  propagation.disable()
  await broker.close()
})

const record = { topic: 't', value: 'v' }

test('entries come last and take the place of headers of their name, whose repeats go too', () => {
  const headers: MutableHeaders = [
    ['traceparent', 'old'],
    ['a', '1'],
    ['traceparent', 'older'],
    ['a', '2'],
  ]
  const inject: TraceContextInjector = (carrier) => Object.assign(carrier, { traceparent: 'new', tracestate: 's' })
  addTraceContext(headers, inject, record)
  expect(headers).toEqual([
    ['a', '1'],
    ['a', '2'],
    ['traceparent', 'new'],
    ['tracestate', 's'],
  ])
})

test('nothing to inject, or something wrong, leaves the headers as they are', () => {
  const headers: MutableHeaders = [['traceparent', 'old']]
  addTraceContext(headers, () => {}, record)
  const wrong: TraceContextInjector = (carrier) => Object.assign(carrier, { traceparent: 'new', depth: 1 })
  expect(() => addTraceContext(headers, wrong, record)).toThrow('depth in the carrier is no string')
  expect(headers).toEqual([['traceparent', 'old']])
})

test("OpenTelemetry's own propagator gives each record the context of its call", async () => {
  const injectTraceContext: TraceContextInjector = (carrier) => propagation.inject(context.active(), carrier)
  await using producer = new Producer({ bootstrapServers: broker.bootstrapServers, injectTraceContext })
  const within = <Result>(spanId: string, call: () => Result): Result => {
    const span = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId, traceFlags: TraceFlags.SAMPLED }
    return context.with(trace.setSpanContext(context.active(), span), call)
  }
  const topic = 'traced'
  // The first waits for metadata, which comes in another context.
  const sent = [
    within('000000000000000a', () => producer.send({ topic, value: 'a', headers: { own: '1' } })),
    within('000000000000000b', () => producer.sendAll(topic, [{ value: 'b' }, { value: 'c' }])),
  ]
  within('000000000000000d', () => producer.post({ topic, value: 'd' }))
  await Promise.all([...sent, producer.send({ topic, value: 'none' })])
  await producer.flush()
  const parents: unknown[] = []
  const options = { bootstrapServers: broker.bootstrapServers, groupId: 'traced', topics: [topic] }
  await using consumer = new Consumer({ ...options, autoOffsetReset: 'earliest' })
  for await (const { value, headers } of consumer) {
    parents.push([String(value), ...headers.map(([name, text]) => `${name}=${String(text)}`)])
    if (parents.length === 5) consumer.stop()
  }
  const parent = (spanId: string): string => `traceparent=00-0af7651916cd43dd8448eb211c80319c-${spanId}-01`
  expect(parents).toEqual([
    ['a', 'own=1', parent('000000000000000a')],
    ['b', parent('000000000000000b')],
    ['c', parent('000000000000000b')],
    ['d', parent('000000000000000d')],
    ['none'],
  ])
})

test('a hook that throws is told, and the record goes without', async () => {
  const fault = new Error('no context')
  const injectTraceContext = (): void => {
    throw fault
  }
  await using producer = new Producer({ bootstrapServers: broker.bootstrapServers, injectTraceContext })
  const events: Array<ProducerEvents['hookFailed']> = []
  producer.on('hookFailed', (event) => events.push(event))
  expect(await producer.send({ topic: 'untraced', value: 'v' })).toMatchObject({ offset: 0 })
  expect(events).toEqual([{ hook: 'injectTraceContext', interceptor: null, error: fault }])
})
