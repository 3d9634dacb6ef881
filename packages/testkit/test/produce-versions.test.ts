import { Broker } from '@millrace/broker'
import { nodeEnvironment, type Environment } from '@millrace/client/internal'
import { Producer } from '@millrace/producer'
import { apiVersionsApi } from '@millrace/protocol/apis/api-versions'
import { metadataApi } from '@millrace/protocol/apis/metadata'
import { produceApi } from '@millrace/protocol/apis/produce'
import { createServer, type AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { rewrite, rewritingEnvironment } from '../src/rewriting-environment.ts'

const VERSIONS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
const FIRST_WITH_TOPIC_IDS = 13

function producingAt(version: number, used: number[]): Environment {
  const limited = rewrite(apiVersionsApi, (response) => ({
    ...response,
    apiKeys: response.apiKeys.map((one) => (one.apiKey === produceApi.key ? { ...one, maxVersion: version } : one)),
  }))
  return rewritingEnvironment([limited], ({ apiKey, version: asked }) => {
    if (apiKey === produceApi.key) used.push(asked)
  })
}

describe.each(VERSIONS)('Produce v%i', (version) => {
  test.each([
    'NOT_LEADER_OR_FOLLOWER',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    'UNKNOWN_PRODUCER_ID',
  ])('is tried again after %s, and stores once', async (name) => {
    await using broker = await Broker.start({ port: 0 })
    const used: number[] = []
    const options = { bootstrapServers: broker.bootstrapServers, retryBackoffMs: 5, lingerMs: 0 }
    await using producer = new Producer(options, producingAt(version, used))
    await producer.send({ topic: 't', value: 'before' })
    const fault = broker.faults.add({ api: 'Produce', answer: { error: name } })
    const sends = ['a', 'b', 'c'].map((value) => producer.send({ topic: 't', value }))
    const sent = await Promise.all(sends)
    expect(sent.map(({ offset }) => offset)).toEqual([1, 2, 3])
    expect((await producer.send({ topic: 't', value: 'after' })).offset).toBe(4)
    expect([fault.hits, new Set(used)]).toEqual([1, new Set([version])])
  })

  test('follows the leader when it is elected anew', async () => {
    await using broker = await Broker.start({ port: 0 })
    await using producer = new Producer(
      { bootstrapServers: broker.bootstrapServers, retryBackoffMs: 5 },
      producingAt(version, []),
    )
    await producer.send({ topic: 't', value: 'before' })
    const fault = broker.faults.add({ api: 'Produce', topic: 't', partition: 0, answer: { electLeader: 1 } })
    expect((await producer.send({ topic: 't', value: 'after' })).offset).toBe(1)
    expect(fault.hits).toBe(1)
  })

  test('INVALID_PRODUCER_EPOCH fails its batch, and what follows goes on under the next epoch', async () => {
    await using broker = await Broker.start({ port: 0 })
    await using producer = new Producer({ bootstrapServers: broker.bootstrapServers }, producingAt(version, []))
    await producer.send({ topic: 't', value: 'before' })
    broker.faults.add({ api: 'Produce', answer: { error: 'INVALID_PRODUCER_EPOCH' } })
    await expect(producer.send({ topic: 't', value: 'refused' })).rejects.toMatchObject({ code: 'INVALID_PRODUCER_EPOCH' })
    expect((await producer.send({ topic: 't', value: 'after' })).offset).toBe(1)
  })
})

test('a topic that was deleted and made again has another id, and is found', async () => {
  await using broker = await Broker.start({ port: 0 })
  const used: number[] = []
  await using producer = new Producer(
    { bootstrapServers: broker.bootstrapServers, retryBackoffMs: 5 },
    producingAt(FIRST_WITH_TOPIC_IDS, used),
  )
  await producer.send({ topic: 't', value: 'before' })
  const fault = broker.faults.add({ api: 'Produce', answer: { error: 'UNKNOWN_TOPIC_ID' } })
  expect((await producer.send({ topic: 't', value: 'after' })).offset).toBe(1)
  expect([fault.hits, new Set(used)]).toEqual([1, new Set([FIRST_WITH_TOPIC_IDS])])
})

/** A port at which nobody listens. */
async function refusedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => void server.close(resolve))
  return port
}

test('records without a key keep away from a broker at whose port nobody listens', async () => {
  await using broker = await Broker.start({ port: 0, config: { 'num.partitions': 2 } })
  const port = await refusedPort()
  // The cluster has a second broker that leads partition 1, or so the metadata says.
  const twoNodes = rewrite(metadataApi, (response) => ({
    ...response,
    brokers: [...response.brokers, { nodeId: 2, host: '127.0.0.1', port, rack: null }],
    topics: response.topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map((one) => (one.partitionIndex === 1 ? { ...one, leaderId: 2 } : one)),
    })),
  }))
  const options = {
    partitionerAvailabilityTimeoutMs: 50,
    reconnectBackoffMs: 5,
    reconnectBackoffMaxMs: 5,
    retryBackoffMs: 5,
    retryBackoffMaxMs: 5,
  }
  const producer = new Producer(
    { bootstrapServers: broker.bootstrapServers, ...options, batchSize: 200, lingerMs: 0 },
    rewritingEnvironment([twoNodes], () => {}, nodeEnvironment),
  )
  const errors: Promise<unknown>[] = []
  // Of two partitions each gets a part, until the second is known to take nothing.
  let inSequence = 0
  while (inSequence < 100) {
    let isStored = false
    const sent = producer.send({ topic: 't', value: 'v'.repeat(150) }).then(
      () => (isStored = true),
      (error: unknown) => error,
    )
    await Promise.race([sent, new Promise((resolve) => void setTimeout(resolve, 20))])
    inSequence = isStored ? inSequence + 1 : 0
    if (!isStored) errors.push(sent)
  }
  expect(errors.length).toBeGreaterThan(0)
  await producer.close({ timeoutMs: 0 })
  for (const error of await Promise.all(errors)) if (error !== true) expect(error).toMatchObject({ code: 'PRODUCER_CLOSED' })
})
