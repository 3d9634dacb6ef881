import { ErrorCode } from '@millrace/protocol'
import { fetchApi, type FetchResponse } from '@millrace/protocol/apis/fetch'
import { produceApi } from '@millrace/protocol/apis/produce'
import { describe, expect, test } from 'vitest'
import { startBroker, WireClient, type TestBroker } from '../../test/core-fixtures.ts'
import { batchOf, recordsIn } from '../../test/log-fixtures.ts'
import { fetchRequest, partitionsOf, produce, produceRequest, type FetchAsk } from '../../test/requests.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'
import type { StorageFile } from '../storage/storage.ts'

const { FENCED_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER } = ErrorCode
const NOBODY = { leaderId: -1, leaderEpoch: -1 }
const LEADER = { leaderId: 1, leaderEpoch: 1 }

function start(): TestBroker & { topicId: string } {
  const broker = startBroker()
  return { ...broker, topicId: broker.createTopic('orders', 2) }
}

/** Elects the leader of these partitions anew, at the request of some client. */
function elect(broker: TestBroker, ...partitions: number[]): void {
  const { faults } = broker.core.door
  using _ = faults.add({ api: 'Fetch', clientId: 'test', answer: { electLeader: 1 } })
  const asks = partitions.map((partition) => ({ topic: 'orders', partition }))
  const reply = new WireClient(broker.core).ask(fetchApi, 12, fetchRequest(asks))
  expect(partitionsOf(reply).map(({ errorCode }) => errorCode)).toEqual(partitions.map(() => NOT_LEADER_OR_FOLLOWER))
}

describe('a Fetch that waits while a leader is elected', () => {
  function wait(
    broker: TestBroker & { topicId: string },
    version: number,
    ...asks: Partial<FetchAsk>[]
  ): () => FetchResponse | null {
    const topic = version < 13 ? 'orders' : broker.topicId
    return new WireClient(broker.core).send(
      fetchApi,
      version,
      fetchRequest(
        asks.map((ask) => ({ topic, ...ask })),
        { maxWaitMs: 60_000 },
      ),
    )
  }

  test.each([12, 15, 16, 18])('v%i: is answered at once, fenced when it named the former epoch', (version) => {
    const broker = start()
    const named = wait(broker, version, { leaderEpoch: 0 })
    const unnamed = wait(broker, version, {})
    expect([named(), unnamed()]).toEqual([null, null])
    elect(broker, 0)
    const currentLeader = version < 16 ? NOBODY : LEADER
    expect(partitionsOf(named()!)).toMatchObject([{ errorCode: FENCED_LEADER_EPOCH, currentLeader, highWatermark: -1n }])
    expect(partitionsOf(unnamed()!)).toMatchObject([{ errorCode: NOT_LEADER_OR_FOLLOWER, currentLeader, highWatermark: -1n }])
    expect(unnamed()!.nodeEndpoints.map(({ nodeId }) => nodeId)).toEqual(version < 16 ? [] : [1])
    expect(broker.core.services.fetches.parked.size).toBe(0)
  })

  test('waits on when the election was elsewhere, and gets its records', () => {
    const broker = start()
    const reply = wait(broker, 12, { partition: 0, leaderEpoch: 0 })
    elect(broker, 1)
    expect(reply()).toBeNull()
    produce(broker, 'orders', batchOf(['a']))
    expect(partitionsOf(reply()!).map(({ records }) => recordsIn(records!).length)).toEqual([1])
  })

  test('is told of all partitions of the election at once, and of the others what they have', () => {
    const broker = start()
    const both = wait(broker, 12, { partition: 0 }, { partition: 1 })
    elect(broker, 0, 1)
    expect(partitionsOf(both()!).map(({ errorCode }) => errorCode)).toEqual([NOT_LEADER_OR_FOLLOWER, NOT_LEADER_OR_FOLLOWER])
    const one = wait(broker, 12, { partition: 0 }, { partition: 1 })
    elect(broker, 1)
    expect(partitionsOf(one()!)).toMatchObject([
      { errorCode: 0, highWatermark: 0n },
      { errorCode: NOT_LEADER_OR_FOLLOWER, highWatermark: -1n },
    ])
  })

  test('asks again and waits in the new epoch', () => {
    const broker = start()
    elect(broker, 0)
    const reply = wait(broker, 12, { leaderEpoch: 1 })
    expect(reply()).toBeNull()
    broker.clock.advance(60_000)
    expect(partitionsOf(reply()!)).toMatchObject([{ errorCode: 0 }])
  })
})

test('a Produce that waits for the disk while a leader is elected is refused, and its repetition finds the batch', () => {
  const storage = new UnhurriedDisk()
  const broker = startBroker({ storage, flush: 'fsync' })
  broker.createTopic('orders', 2)
  storage.finishAll()
  const batch = (): Buffer => batchOf(['a'], { producerId: 5, producerEpoch: 0, baseSequence: 0 })
  const send = (partition: number): (() => unknown) => {
    const reply = new WireClient(broker.core).send(
      produceApi,
      12,
      produceRequest('orders', batch(), { timeoutMs: 9000 }, partition),
    )
    return () => reply()?.responses[0]!.partitionResponses[0]
  }
  const [first, other] = [send(0), send(1)]
  elect(broker, 0)
  expect([first(), other()]).toMatchObject([
    {
      errorCode: NOT_LEADER_OR_FOLLOWER,
      baseOffset: -1n,
      currentLeader: LEADER,
      errorMessage: expect.stringContaining('elected'),
    },
    undefined,
  ])
  const again = send(0)
  storage.finishAll()
  expect([again(), other()]).toMatchObject([
    { errorCode: 0, baseOffset: 0n },
    { errorCode: 0, baseOffset: 0n },
  ])
  expect(broker.core.services.topics.partition('orders', 0)!.log.logEndOffset).toBe(1)
})

describe('the refusal names the new leader as far as its version can (KIP-951)', () => {
  test.each([
    [9, NOBODY],
    [10, LEADER],
    [13, LEADER],
  ])('Produce v%i', (version, currentLeader) => {
    const broker = start()
    const topic = version < 13 ? 'orders' : broker.topicId
    const ask = (): object => broker.client.ask(produceApi, version, produceRequest(topic, batchOf(['a']), {}, 1))
    broker.core.door.faults.add({ api: 'Produce', topic: 'orders', partition: 1, answer: { electLeader: 1 } })
    expect(ask()).toMatchObject({
      responses: [{ partitionResponses: [{ errorCode: NOT_LEADER_OR_FOLLOWER, currentLeader }] }],
      nodeEndpoints: currentLeader === NOBODY ? [] : [{ nodeId: 1, ...broker.core.services.endpoint }],
    })
    broker.core.door.faults.add({ api: 'Produce', answer: { error: 'NOT_LEADER_OR_FOLLOWER' } })
    expect(ask()).toMatchObject({ responses: [{ partitionResponses: [{ currentLeader: NOBODY }] }], nodeEndpoints: [] })
  })

  test.each([
    [12, NOBODY],
    [16, LEADER],
    [18, LEADER],
  ])('Fetch v%i', (version, currentLeader) => {
    const broker = start()
    const topic = version < 13 ? 'orders' : broker.topicId
    const ask = (): FetchResponse => broker.client.ask(fetchApi, version, fetchRequest([{ topic, partition: 1 }]))
    broker.core.door.faults.add({ api: 'Fetch', topic: 'orders', partition: 1, answer: { electLeader: 1 } })
    const reply = ask()
    expect(partitionsOf(reply)).toMatchObject([{ errorCode: NOT_LEADER_OR_FOLLOWER, currentLeader }])
    expect(reply.nodeEndpoints).toMatchObject(currentLeader === NOBODY ? [] : [{ nodeId: 1 }])
    broker.core.door.faults.add({ api: 'Fetch', answer: { error: 'NOT_LEADER_OR_FOLLOWER' } })
    expect(partitionsOf(ask())).toMatchObject([{ errorCode: NOT_LEADER_OR_FOLLOWER, currentLeader: NOBODY }])
  })
})

/** A disk whose background flushes end when the test says so. */
class UnhurriedDisk extends MemoryStorage {
  #pending: (() => void)[] = []

  override open(path: string): StorageFile {
    const file = super.open(path)
    file.syncInBackground = (done) => void this.#pending.push(() => done(null))
    return file
  }

  finishAll(): void {
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) next()
  }
}
