import { ErrorCode } from '@millrace/protocol'
import { createPartitionsApi } from '@millrace/protocol/apis/create-partitions'
import { createTopicsApi } from '@millrace/protocol/apis/create-topics'
import { deleteTopicsApi } from '@millrace/protocol/apis/delete-topics'
import { offsetCommitApi } from '@millrace/protocol/apis/offset-commit'
import { expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { FaultyStorage } from '../../test/faulty-storage.ts'
import { commitRequest, committed } from '../../test/group-requests.ts'
import { batchOf } from '../../test/log-fixtures.ts'
import { produce } from '../../test/requests.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'

/** A broker whose disk refuses what this says. */
function brokerOn(refuses: (what: string) => boolean, storage = new MemoryStorage()): TestBroker {
  return startBroker({ storage: new FaultyStorage(storage, (_, what) => (refuses(what) ? 'error' : 'none')) })
}

function create({ client }: TestBroker, name: string, numPartitions: number): number {
  const topics = [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }]
  return client.ask(createTopicsApi, 7, { topics, timeoutMs: 1000, validateOnly: false }).topics[0]!.errorCode
}

function ends({ core }: TestBroker, name: string): number[] {
  return core.services.topics.byName(name)!.partitions.map(({ log }) => log.logEndOffset)
}

test('a topic whose files cannot be removed is deleted, and another one of that name begins empty', () => {
  const storage = new MemoryStorage()
  let isStuck = false
  const broker = brokerOn((what) => isStuck && what.startsWith('rename orders'), storage)
  broker.createTopic('orders', 3)
  for (const partition of [0, 1, 2]) produce(broker, 'orders', batchOf(['a', 'b']), 12, partition)
  broker.client.ask(offsetCommitApi, 9, commitRequest('g', { orders: [2] }))
  expect([ends(broker, 'orders'), committed(broker.client, 'g')]).toEqual([[2, 2, 2], { 'orders-0': 2 }])
  isStuck = true
  const reply = broker.client.ask(deleteTopicsApi, 5, { topics: [], topicNames: ['orders'], timeoutMs: 1000 })
  expect(reply.responses).toMatchObject([{ name: 'orders', errorCode: 0 }])
  expect(committed(broker.client, 'g')).toEqual({})
  isStuck = false
  expect([create(broker, 'orders', 3), ends(broker, 'orders')]).toEqual([0, [0, 0, 0]])
  broker.core.abandon()
  expect(ends(startBroker({ storage }), 'orders')).toEqual([0, 0, 0])
})

test('what cannot be stored is refused, also when what was begun of it cannot be removed', () => {
  let isFull = false
  const broker = brokerOn((what) => isFull && (what.startsWith('append __cluster_metadata') || what.startsWith('rename')))
  broker.createTopic('payments', 1)
  isFull = true
  expect(create(broker, 'orders', 2)).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
  const topics = [{ name: 'payments', count: 2, assignments: null }]
  const { results } = broker.client.ask(createPartitionsApi, 3, { topics, timeoutMs: 1000, validateOnly: false })
  expect(results).toMatchObject([{ name: 'payments', errorCode: ErrorCode.KAFKA_STORAGE_ERROR }])
  expect(ends(broker, 'payments')).toEqual([0])
  isFull = false
  expect([create(broker, 'orders', 2), ends(broker, 'orders')]).toEqual([0, [0, 0]])
})
