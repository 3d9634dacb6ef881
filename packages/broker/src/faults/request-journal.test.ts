import { fetchApi } from '@millrace/protocol/apis/fetch'
import { heartbeatApi } from '@millrace/protocol/apis/heartbeat'
import { listOffsetsApi } from '@millrace/protocol/apis/list-offsets'
import { produceApi } from '@millrace/protocol/apis/produce'
import { encodeRequestFrame } from '@millrace/protocol/internal'
import { describe, expect, test } from 'vitest'
import { startBroker, WireClient } from '../../test/core-fixtures.ts'
import { batchOf, NOW } from '../../test/log-fixtures.ts'
import { fetchRequest, produceRequest } from '../../test/requests.ts'
import { JOURNAL_BYTES_MAX, JOURNAL_REQUESTS_MAX, TOPIC_NAME_LENGTH_MAX } from '../limits.ts'

const beat = { groupId: 'g', generationId: 0, memberId: 'm', groupInstanceId: null }

describe('the journal', () => {
  test('is off until it is started, and keeps what it has when it is stopped', () => {
    const { core, client } = startBroker()
    const { requests } = core.door
    client.ask(heartbeatApi, 4, beat)
    expect([requests.isOn, requests.list()]).toEqual([false, []])
    requests.start()
    client.ask(heartbeatApi, 4, beat)
    requests.stop()
    client.ask(heartbeatApi, 4, beat)
    expect(requests.list()).toHaveLength(1)
    requests.clear()
    expect(requests.list()).toEqual([])
  })

  test('tells who asked what, by topic name also where the request has the id, and what became of it', () => {
    const { core, client, clock, createTopic } = startBroker()
    const id = createTopic('orders', 2)
    const { requests } = core.door
    requests.start()
    client.ask(produceApi, 13, produceRequest(id, batchOf(['a']), {}, 1))
    client.send(produceApi, 12, produceRequest('orders', batchOf(['a']), { acks: 0 }))
    client.ask(heartbeatApi, 4, beat)
    const waiting = client.send(fetchApi, 12, fetchRequest([{ topic: 'orders', offset: 1 }], { maxWaitMs: 100 }))
    const [produced, silent, heartbeat, fetched] = requests.list()
    expect(produced).toEqual({
      at: NOW,
      api: 'Produce',
      version: 13,
      clientId: 'test',
      connection: 1,
      correlationId: 2,
      topics: [{ topic: 'orders', partitions: [1] }],
      groups: [],
      fault: null,
      outcome: 'answered',
      answeredAt: NOW,
    })
    expect(silent).toMatchObject({ outcome: 'no reply', answeredAt: null })
    expect(heartbeat).toMatchObject({ api: 'Heartbeat', groups: ['g'], topics: [] })
    expect(fetched).toMatchObject({ outcome: 'waiting', answeredAt: null })
    clock.advance(100)
    expect(waiting()).not.toBeNull()
    expect(fetched).toMatchObject({ at: NOW, outcome: 'answered', answeredAt: NOW + 100 })
  })

  test('tells which fault hit, and that the reply did not get through', () => {
    const { core, client } = startBroker()
    const { requests, faults } = core.door
    requests.start()
    const error = faults.add({ api: 'Heartbeat', answer: { error: 'NOT_COORDINATOR' } })
    client.ask(heartbeatApi, 4, beat)
    const answers = [{ cut: 'before' }, { cut: 'after' }, { cutReplyAfterBytes: 5 }] as const
    const cuts = answers.map((answer) => faults.add({ api: 'Heartbeat', answer }))
    for (const _ of cuts) new WireClient(core).send(heartbeatApi, 4, beat)
    const never = faults.add({ api: 'Heartbeat', answer: 'never' })
    const left = new WireClient(core)
    left.send(heartbeatApi, 4, beat)
    expect(requests.list().map(({ fault, outcome }) => [fault, outcome])).toEqual([
      [error.id, 'answered'],
      ...cuts.map(({ id }) => [id, 'cut']),
      [never.id, 'waiting'],
    ])
    left.disconnect()
    expect(requests.list({ fault: never.id })).toMatchObject([{ outcome: 'cut', answeredAt: null }])
  })

  test('is filtered by all that is given', () => {
    const { core, client, createTopic } = startBroker()
    createTopic('orders', 2)
    createTopic('payments')
    const { requests } = core.door
    requests.start()
    client.ask(produceApi, 12, produceRequest('orders', batchOf(['a']), {}, 1))
    client.ask(produceApi, 12, produceRequest('payments', batchOf(['a'])))
    new WireClient(core).ask(heartbeatApi, 4, beat)
    const apis = (filter: Parameters<typeof requests.list>[0]): string[] => requests.list(filter).map(({ api }) => api)
    expect(apis({ api: 'Produce' })).toHaveLength(2)
    expect(apis({ topic: 'orders' })).toHaveLength(1)
    expect(apis({ topic: 'orders', partition: 0 })).toEqual([])
    expect(apis({ topic: 'orders', partition: 1 })).toHaveLength(1)
    expect(apis({ partition: 0 })).toHaveLength(1)
    expect(apis({ group: 'g' })).toEqual(['Heartbeat'])
    expect(apis({ connection: 2 })).toEqual(['Heartbeat'])
    expect(apis({ clientId: 'other' })).toEqual([])
    expect(apis({ fault: 1 })).toEqual([])
    expect(apis({ outcome: 'answered' })).toHaveLength(3)
  })

  test.each([
    ['topics', 'orders'],
    ['api', 'Produced'],
    ['api', null],
    ['topic', 7],
    ['topic', ''],
    ['partition', -1],
    ['partition', '0'],
    ['group', 7],
    ['clientId', null],
    ['connection', 0],
    ['fault', 1.5],
    ['outcome', 'pending'],
  ])('is not filtered by %s %j, which fits nothing', (option, value) => {
    const { requests } = startBroker().core.door
    requests.start()
    const filter = { [option]: value } as never
    const refused: unknown = expect.objectContaining({ name: 'ConfigError', option })
    expect(() => requests.list(filter)).toThrow(refused)
    expect(() => requests.waitFor(filter)).toThrow(refused)
  })

  test('is not filtered by what is no filter', () => {
    const { requests } = startBroker().core.door
    requests.start()
    expect(() => requests.list(null as never)).toThrow(expect.objectContaining({ name: 'ConfigError', option: 'filter' }))
    expect(() => requests.waitFor({}, { timeoutMs: 5 } as never)).toThrow(expect.objectContaining({ option: 'timeoutMs' }))
  })

  test('keeps the newest requests and counts those that it forgot', () => {
    const { core, client } = startBroker()
    const { requests } = core.door
    requests.start()
    const extra = 3
    for (let i = 0; i < JOURNAL_REQUESTS_MAX + extra; i++) client.ask(heartbeatApi, 4, beat)
    const ids = requests.list().map(({ correlationId }) => correlationId)
    expect(requests.dropped).toBe(extra)
    expect(ids).toEqual(Array.from({ length: JOURNAL_REQUESTS_MAX }, (_, i) => i + 1 + extra))
  })

  test('keeps fewer when they name so much that they would take too much memory, but always the newest', () => {
    const { core, client } = startBroker()
    const { faults, requests } = core.door
    requests.start()
    faults.add({ api: 'ListOffsets', times: Infinity, answer: 'never' })
    const count = 5000
    const names = Array.from({ length: count }, (_, i) => `${i}`.padEnd(TOPIC_NAME_LENGTH_MAX, 'x'))
    const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1n }]
    const topics = names.map((name) => ({ name, partitions }))
    const request = { replicaId: -1, isolationLevel: 0, topics, timeoutMs: 0 }
    const frame = Buffer.concat(encodeRequestFrame(listOffsetsApi, 7, 1, 'test', request))
    const held = Math.floor(JOURNAL_BYTES_MAX / (2 * count * TOPIC_NAME_LENGTH_MAX))
    const sent = held + 3
    for (let i = 0; i < sent; i++) core.connect({ write: () => {}, close: () => {} }).receive(Buffer.from(frame))
    const kept = requests.list()
    expect(kept.length).toBeGreaterThan(held / 2)
    expect(kept.length).toBeLessThanOrEqual(held)
    expect(requests.dropped).toBe(sent - kept.length)
    // The client's own connection was the first.
    expect(kept.at(-1)!.connection).toBe(sent + 1)
    expect(kept[0]!.topics).toHaveLength(count)
    requests.clear()
    client.ask(heartbeatApi, 4, beat)
    expect([requests.list().length, requests.dropped]).toEqual([1, 0])
  })
})

describe('waiting for a request', () => {
  test('resolves with one that came, or with the next, and with its outcome when that is asked for', async () => {
    const { core, client, clock } = startBroker()
    const { requests, faults } = core.door
    requests.start()
    const coming = requests.waitFor({ api: 'Heartbeat' })
    faults.add({ api: 'Heartbeat', answer: { delayMs: 10 } })
    client.send(heartbeatApi, 4, beat)
    expect(await coming).toMatchObject({ outcome: 'waiting' })
    expect(await requests.waitFor({ api: 'Heartbeat' })).toBe(requests.list()[0])
    let isAnswered = false
    const answered = requests.waitFor({ outcome: 'answered' }).then(() => void (isAnswered = true))
    await Promise.resolve()
    expect(isAnswered).toBe(false)
    clock.advance(10)
    await answered
    expect(isAnswered).toBe(true)
  })

  test('ends with the signal and with the broker, and is refused while nothing is recorded', async () => {
    const { core } = startBroker()
    const { requests } = core.door
    expect(() => requests.waitFor()).toThrow(expect.objectContaining({ code: 'JOURNAL_OFF' }))
    requests.start()
    const reason = new Error('enough')
    await expect(requests.waitFor({}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const orphan = requests.waitFor({ api: 'Produce' })
    core.close()
    await expect(orphan).rejects.toMatchObject({ code: 'BROKER_CLOSED' })
  })
})
