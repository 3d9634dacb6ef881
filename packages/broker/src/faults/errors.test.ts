import { ErrorCode } from '@millrace/protocol'
import { describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { errorsIn, namingRequest } from '../../test/fault-requests.ts'
import type { AnyHandler } from '../core/handler.ts'
import { allHandlers } from '../handlers/all-handlers.ts'

const CODE = ErrorCode.NOT_COORDINATOR

type Scene = TestBroker & { ids: [string, string]; nameOf: (id: string) => string }

function start(): Scene {
  const broker = startBroker()
  const ids: [string, string] = [broker.createTopic('orders', 2), broker.createTopic('payments', 2)]
  return { ...broker, ids, nameOf: (id) => (id === ids[0] ? 'orders' : id === ids[1] ? 'payments' : id) }
}

const everyVersion = allHandlers.flatMap((handler) =>
  Array.from({ length: handler.maxVersion - handler.minVersion + 1 }, (_, i): [string, number, AnyHandler] => {
    return [handler.api.name, handler.minVersion + i, handler]
  }),
)

function errorsOf(scene: Scene, handler: AnyHandler, version: number): Map<string, number> {
  const { api } = handler
  const reply: object = scene.client.ask(api, version, namingRequest(api.name, version, scene.ids)) as object
  return errorsIn(reply, scene.nameOf)
}

describe.each(everyVersion)('%s v%i', (api, version, handler) => {
  test('is answered with the error for all it names, in a reply that clients can read', () => {
    const scene = start()
    const fault = scene.core.door.faults.add({ api, answer: { error: 'NOT_COORDINATOR' } })
    const codes = [...errorsOf(scene, handler, version).values()]
    expect(fault.hits).toBe(1)
    expect(codes).toContain(CODE)
    // Where a group or topic has the error, no other part of the reply has another one.
    expect(codes.filter((code) => code !== CODE && code !== 0)).toEqual([])
    expect(scene.client.isClosed).toBe(false)
  })

  test('carries the throttle time, where the version has one, and is served', () => {
    const plain = errorsOf(start(), handler, version)
    const scene = start()
    scene.core.door.faults.add({ api, answer: { throttleTimeMs: 321 } })
    const reply = scene.client.ask(handler.api, version, namingRequest(api, version, scene.ids)) as { throttleTimeMs: number }
    expect([321, 0]).toContain(reply.throttleTimeMs)
    if (version === handler.maxVersion) expect(reply.throttleTimeMs).toBe(321)
    expect(errorsIn(reply, scene.nameOf)).toEqual(plain)
  })
})

describe.each(everyVersion.filter(([, , { errors }]) => errors.selectors.includes('topic')))(
  '%s v%i',
  (api, version, handler) => {
    test('errs for the chosen topic alone', () => {
      const plain = errorsOf(start(), handler, version)
      const scene = start()
      scene.core.door.faults.add({ api, topic: 'orders', answer: { error: 'NOT_COORDINATOR' } })
      const errors = errorsOf(scene, handler, version)
      const chosen = [...errors].filter(([, code]) => code === CODE).map(([name]) => name)
      expect(chosen.length).toBeGreaterThan(0)
      expect(chosen.filter((name) => !name.startsWith('orders'))).toEqual([])
      for (const [name, code] of errors) if (!name.startsWith('orders')) expect([name, code]).toEqual([name, plain.get(name)])
      const others = [...plain.keys()].filter((name) => name.startsWith('payments'))
      for (const name of others) expect(errors.has(name)).toBe(true)
    })
  },
)

describe.each(everyVersion.filter(([, , { errors }]) => errors.selectors.includes('partition')))(
  '%s v%i',
  (api, version, handler) => {
    test('errs for the chosen partition alone', () => {
      const plain = errorsOf(start(), handler, version)
      const scene = start()
      scene.core.door.faults.add({ api, topic: 'orders', partition: 1, answer: { error: 'NOT_COORDINATOR' } })
      const errors = errorsOf(scene, handler, version)
      expect(errors).toEqual(new Map([...plain, ['orders-1', CODE]]))
    })
  },
)

describe.each(everyVersion.filter(([, , { errors }]) => errors.selectors.includes('group')))(
  '%s v%i',
  (api, version, handler) => {
    test('errs for the chosen group alone', () => {
      const scene = start()
      const other = scene.core.door.faults.add({ api, group: 'another', answer: { error: 'NOT_COORDINATOR' } })
      expect([...errorsOf(scene, handler, version).values()]).not.toContain(CODE)
      expect(other.hits).toBe(0)
      const fault = scene.core.door.faults.add({ api, group: 'g', answer: { error: 'NOT_COORDINATOR' } })
      const errors = errorsOf(scene, handler, version)
      expect([...errors.values()]).toContain(CODE)
      expect(errors.get('h') ?? 0).not.toBe(CODE)
      expect(fault.hits).toBe(1)
    })
  },
)
