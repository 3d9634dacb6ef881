import { getEventListeners } from 'node:events'
import { KafkaError } from '@millrace/protocol'
import { createTopicsApi, type CreateTopicsResponse } from '@millrace/protocol/apis/create-topics'
import { describeClusterApi, type DescribeClusterResponse } from '@millrace/protocol/apis/describe-cluster'
import { findCoordinatorApi } from '@millrace/protocol/apis/find-coordinator'
import { heartbeatApi } from '@millrace/protocol/apis/heartbeat'
import { listOffsetsApi } from '@millrace/protocol/apis/list-offsets'
import { metadataApi } from '@millrace/protocol/apis/metadata'
import { encodeResponseFrame } from '@millrace/protocol/internal'
import { afterEach, describe, expect, test } from 'vitest'
import { ScriptedCluster, ScriptedNetwork, type ScriptedBroker } from '../test/scripted-network.ts'
import { ClusterClient } from './cluster-client.ts'
import { BootstrapError } from './errors.ts'
import type { ClusterClientOptions } from './options.ts'

const clients: ClusterClient[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close()
})

function clientOf(cluster: ScriptedCluster, options: Partial<ClusterClientOptions> = {}): ClusterClient {
  const client = new ClusterClient({ bootstrapServers: cluster.bootstrapServers, ...options }, cluster.network)
  clients.push(client)
  return client
}

const describeRequest = { includeClusterAuthorizedOperations: false, endpointType: 1, includeFencedBrokers: false }
const heartbeat = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null }

function describeResponse(clusterId: string): DescribeClusterResponse {
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    endpointType: 1,
    clusterId,
    controllerId: 1,
    brokers: [],
    clusterAuthorizedOperations: 0,
  }
}

/** Answers DescribeCluster with the broker's own id. */
function saysWhoItIs(broker: ScriptedBroker): void {
  broker.on(describeClusterApi, () => describeResponse(String(broker.id)))
}

async function failureOf(promise: Promise<unknown>): Promise<KafkaError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof KafkaError) return error
    throw error
  }
  throw new Error('did not fail')
}

describe('bootstrap', () => {
  test('learns the cluster from any server that answers, and leaves the bootstrap connections behind', async () => {
    const cluster = new ScriptedCluster([1, 2, 3])
    cluster.broker(1).stop()
    cluster.broker(2).stop()
    const client = clientOf(cluster)
    await cluster.network.clock.settle(client.connect())
    expect([...client.nodes.keys()]).toEqual([1, 2, 3])
    expect(client.clusterId).toBe('scripted')
    expect(cluster.network.openLinks()).toEqual([])
  })

  test('lists each address with its cause when the time is over', async () => {
    const network = new ScriptedNetwork()
    network.listen('silent', 1, () => {})
    network.listen('closing', 2, (link) => link.close())
    const bootstrapServers = ['silent:1', 'closing:2', 'refusing:3']
    const client = new ClusterClient({ bootstrapServers, requestTimeoutMs: 500, defaultApiTimeoutMs: 5_000 }, network)
    const startedAt = network.clock.now()
    const error = await network.clock.settle(failureOf(client.connect()))
    expect(network.clock.now() - startedAt).toBe(5_000)
    expect(error).toBeInstanceOf(BootstrapError)
    expect(error).toMatchObject({ code: 'BOOTSTRAP_FAILED', retriable: true })
    const attempts = Object.fromEntries(
      (error as BootstrapError).attempts.map(({ address, error: cause }) => [address, cause.code]),
    )
    expect(attempts).toEqual({
      'silent:1': 'REQUEST_TIMED_OUT_LOCALLY',
      'closing:2': 'NOT_KAFKA',
      'refusing:3': 'CONNECTION_FAILED',
    })
    for (const address of bootstrapServers) {
      expect(error.message).toContain(address)
      expect(error.message).not.toContain(`${address}: ${address}`)
    }
    await client.close()
  })

  test('names the address that has not answered when the caller’s time is shorter than a request’s', async () => {
    const network = new ScriptedNetwork()
    network.listen('silent', 1, () => {})
    const client = new ClusterClient({ bootstrapServers: 'silent:1' }, network)
    const error = await network.clock.settle(failureOf(client.connect({ timeoutMs: 100 })))
    expect(error.message).toContain('silent:1 has not answered yet')
    await client.close()
  })

  test('fails at once when what answers everywhere is not Kafka', async () => {
    const network = new ScriptedNetwork()
    network.listen('web', 80, (link) => (link.onData = () => link.send(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))))
    const client = new ClusterClient({ bootstrapServers: 'web:80' }, network)
    const startedAt = network.clock.now()
    const error = await network.clock.settle(failureOf(client.send(describeClusterApi, describeRequest, 'any')))
    expect(error).toMatchObject({
      code: 'BOOTSTRAP_FAILED',
      retriable: false,
      cause: { code: 'NOT_KAFKA', host: 'web', port: 80 },
    })
    expect(network.clock.now() - startedAt).toBeLessThan(100)
    await client.close()
  })

  test('backs off between attempts, longer each time up to the maximum', async () => {
    const network = new ScriptedNetwork()
    const client = new ClusterClient({ bootstrapServers: 'nobody:1', defaultApiTimeoutMs: 20_000 }, network)
    await network.clock.settle(failureOf(client.connect()))
    expect(network.attempts.length).toBeGreaterThan(10)
    expect(network.attempts.length).toBeLessThan(35)
    await client.close()
  })

  test('a call that never got to a broker fails with the same list', async () => {
    const network = new ScriptedNetwork()
    const client = new ClusterClient({ bootstrapServers: ['one:1', 'two:2'], defaultApiTimeoutMs: 3_000 }, network)
    clients.push(client)
    const error = await network.clock.settle(failureOf(client.send(describeClusterApi, describeRequest, 'any')))
    expect(error.code).toBe('BOOTSTRAP_FAILED')
    expect((error as BootstrapError).attempts.map(({ address }) => address).toSorted()).toEqual(['one:1', 'two:2'])
  })

  test('waits for a broker that has just started and names no broker yet', async () => {
    const cluster = new ScriptedCluster([1])
    saysWhoItIs(cluster.broker(1))
    let isEmpty = true
    cluster.broker(1).on(metadataApi, () => (isEmpty ? { ...cluster.metadata([]), brokers: [] } : cluster.metadata([])))
    const client = clientOf(cluster)
    const call = client.send(describeClusterApi, describeRequest, 'any')
    await Promise.race([call, cluster.network.clock.runUntil(() => cluster.countOf('Metadata') >= 3)])
    isEmpty = false
    expect(await cluster.network.clock.settle(call)).toMatchObject({ clusterId: '1' })
  })

  test('many calls at once cost one metadata request', async () => {
    const cluster = new ScriptedCluster([1])
    saysWhoItIs(cluster.broker(1))
    const client = clientOf(cluster)
    const calls = Array.from({ length: 20 }, () => client.send(describeClusterApi, describeRequest, 'any'))
    await cluster.network.clock.settle(Promise.all(calls))
    expect(cluster.countOf('Metadata')).toBe(1)
    expect(cluster.countOf('DescribeCluster')).toBe(20)
  })
})

describe('recovery', () => {
  test('starts again from the bootstrap servers when every known broker is gone (KIP-899)', async () => {
    const network = new ScriptedNetwork()
    const old = new ScriptedCluster([1, 2], network)
    const client = new ClusterClient({ bootstrapServers: ['broker1:9092', 'seed:9092'] }, network)
    clients.push(client)
    await network.clock.settle(client.connect())
    for (const broker of old.brokers) broker.stop()
    // The name of the seed now leads to another cluster, whose brokers nobody has told us of.
    const fresh = new ScriptedCluster([7, 8], network)
    for (const broker of fresh.brokers) saysWhoItIs(broker)
    fresh.broker(7).startAt('seed', 9092)
    const response = await network.clock.settle(client.send(describeClusterApi, describeRequest, 'any'))
    expect(['7', '8']).toContain(response.clusterId)
    expect([...client.nodes.keys()]).toEqual([7, 8])
  })

  test("with 'none' it keeps to the brokers that it knows", async () => {
    const network = new ScriptedNetwork()
    const old = new ScriptedCluster([1], network)
    const client = new ClusterClient(
      { bootstrapServers: ['broker1:9092', 'seed:9092'], metadataRecoveryStrategy: 'none', defaultApiTimeoutMs: 5_000 },
      network,
    )
    clients.push(client)
    await network.clock.settle(client.connect())
    old.broker(1).stop()
    const before = network.attempts.filter((address) => address === 'seed:9092').length
    const error = await network.clock.settle(failureOf(client.refreshMetadata()))
    expect(error.code).toBe('BOOTSTRAP_FAILED')
    expect(network.attempts.filter((address) => address === 'seed:9092')).toHaveLength(before)
  })

  test('a broker may order it (KIP-1102): no other known broker is asked then', async () => {
    const network = new ScriptedNetwork()
    const old = new ScriptedCluster([1, 2, 3], network)
    old.broker(1).startAt('seed', 9092)
    const client = new ClusterClient({ bootstrapServers: ['seed:9092'] }, network)
    clients.push(client)
    await network.clock.settle(client.connect())
    const fresh = new ScriptedCluster([7], network)
    fresh.broker(7).startAt('seed', 9092)
    let orders = 0
    for (const broker of old.brokers) {
      broker.on(metadataApi, () => {
        orders++
        return { ...old.metadata([]), errorCode: 129, brokers: [] }
      })
    }
    await network.clock.settle(client.refreshMetadata())
    expect(orders).toBe(1)
    expect([...client.nodes.keys()]).toEqual([7])
  })

  test('after metadataRecoveryRebootstrapTriggerMs without metadata it starts again, although known brokers are left to try', async () => {
    const network = new ScriptedNetwork()
    const old = new ScriptedCluster([1, 2, 3, 4], network)
    old.broker(1).startAt('seed', 9092)
    const options = { bootstrapServers: ['seed:9092'], requestTimeoutMs: 1_000, metadataRecoveryRebootstrapTriggerMs: 1_500 }
    const client = new ClusterClient(options, network)
    clients.push(client)
    await network.clock.settle(client.connect())
    const fresh = new ScriptedCluster([7], network)
    fresh.broker(7).startAt('seed', 9092)
    let asked = 0
    for (const broker of old.brokers) {
      broker.on(metadataApi, () => {
        asked++
        return 'silence'
      })
    }
    await network.clock.settle(client.refreshMetadata())
    expect(asked).toBe(2)
    expect([...client.nodes.keys()]).toEqual([7])
  })

  test('a request whose connection is lost goes out again', async () => {
    const cluster = new ScriptedCluster([1])
    let calls = 0
    cluster.broker(1).on(describeClusterApi, () => (++calls < 3 ? 'close' : describeResponse('third')))
    const client = clientOf(cluster)
    const response = await cluster.network.clock.settle(client.send(describeClusterApi, describeRequest, 'any'))
    expect(response.clusterId).toBe('third')
  })

  test('with retry: false one lost connection is the end of it', async () => {
    const cluster = new ScriptedCluster([1])
    cluster.broker(1).on(describeClusterApi, () => 'close')
    const client = clientOf(cluster)
    const error = await cluster.network.clock.settle(
      failureOf(client.send(describeClusterApi, describeRequest, 'any', { retry: false })),
    )
    expect(error.code).toBe('CONNECTION_CLOSED')
    expect(cluster.countOf('DescribeCluster')).toBe(1)
  })

  test('a broker that never answers ends in API_TIMED_OUT with the last failure as its cause', async () => {
    const cluster = new ScriptedCluster([1])
    cluster.broker(1).on(describeClusterApi, () => 'silence')
    const client = clientOf(cluster, { requestTimeoutMs: 1_000, defaultApiTimeoutMs: 3_500 })
    const startedAt = cluster.network.clock.now()
    const error = await cluster.network.clock.settle(failureOf(client.send(describeClusterApi, describeRequest, 'any')))
    expect(error).toMatchObject({ code: 'API_TIMED_OUT', retriable: true, cause: { code: 'REQUEST_TIMED_OUT_LOCALLY' } })
    expect(error.message).toContain('DescribeCluster')
    expect(cluster.network.clock.now() - startedAt).toBeLessThanOrEqual(3_500)
    expect(cluster.countOf('DescribeCluster')).toBeGreaterThan(1)
  })

  test('a response cut at any byte by the end of its connection is asked for again, and nothing is left hanging', async () => {
    const cluster = new ScriptedCluster([1])
    const whole = Buffer.concat(
      encodeResponseFrame(describeClusterApi, describeClusterApi.maxStableVersion, 0, describeResponse('whole')),
    )
    const client = clientOf(cluster)
    for (let cut = 0; cut < whole.length; cut++) {
      let calls = 0
      cluster.broker(1).on(describeClusterApi, (_request, header, link) => {
        if (++calls > 1) return describeResponse('whole')
        const bytes = Buffer.concat(
          encodeResponseFrame(describeClusterApi, header.apiVersion, header.correlationId, describeResponse('whole')),
        )
        if (cut > 0) link.send(bytes.subarray(0, cut))
        return 'close'
      })
      const response = await cluster.network.clock.settle(client.send(describeClusterApi, describeRequest, 'any'))
      expect(response.clusterId).toBe('whole')
      expect(calls).toBe(2)
    }
  })
})

describe('routing', () => {
  test('says how long it searched for a coordinator, and why in vain', async () => {
    const cluster = new ScriptedCluster([1])
    const nobody = { key: 'g', nodeId: -1, host: '', port: -1, errorCode: 15, errorMessage: null }
    cluster.broker(1).on(findCoordinatorApi, () => ({
      throttleTimeMs: 0,
      errorCode: 0,
      errorMessage: '',
      nodeId: 0,
      host: '',
      port: 0,
      coordinators: [nobody],
    }))
    const client = clientOf(cluster)
    await cluster.network.clock.settle(client.connect())
    const call = failureOf(client.coordinatorFor('group', 'g', { timeoutMs: 2_500 }))
    const error = await cluster.network.clock.settle(call)
    expect(error).toMatchObject({ code: 'API_TIMED_OUT', timeoutMs: 2_500, cause: { code: 'COORDINATOR_NOT_AVAILABLE' } })
    expect(error.message).toContain('coordinator of group g did not end within 2500 ms')
  })

  test('finds a group’s coordinator once, on a connection of its own, and again when it moved', async () => {
    const cluster = new ScriptedCluster([1, 2])
    cluster.coordinators.set('g', 1)
    const answers: number[] = []
    for (const broker of cluster.brokers) {
      broker.on(heartbeatApi, () => {
        answers.push(broker.id)
        const isCoordinator = cluster.coordinators.get('g') === broker.id
        return { throttleTimeMs: 0, errorCode: isCoordinator ? 0 : 16 }
      })
    }
    const client = clientOf(cluster)
    const beat = () => cluster.network.clock.settle(client.send(heartbeatApi, heartbeat, { group: 'g' }))
    expect((await beat()).errorCode).toBe(0)
    expect((await beat()).errorCode).toBe(0)
    expect(cluster.countOf('FindCoordinator')).toBe(1)
    cluster.broker(1).on(describeClusterApi, () => describeResponse('1'))
    await cluster.network.clock.settle(client.send(describeClusterApi, describeRequest, { node: 1 }))
    expect(cluster.network.openLinks().filter(({ endpoint }) => endpoint.host === 'broker1')).toHaveLength(2)
    cluster.coordinators.set('g', 2)
    expect((await beat()).errorCode).toBe(0)
    expect(answers).toEqual([1, 1, 1, 2])
    expect(cluster.countOf('FindCoordinator')).toBe(2)
  })

  test('many calls at once look a coordinator up once', async () => {
    const cluster = new ScriptedCluster([1])
    cluster.broker(1).on(heartbeatApi, () => ({ throttleTimeMs: 0, errorCode: 0 }))
    const client = clientOf(cluster)
    const beats = Array.from({ length: 10 }, () => client.send(heartbeatApi, heartbeat, { group: 'g' }))
    await cluster.network.clock.settle(Promise.all(beats))
    expect(cluster.countOf('FindCoordinator')).toBe(1)
    expect(cluster.countOf('Heartbeat')).toBe(10)
  })

  test('waits for a coordinator that loads, and for one that is not there yet', async () => {
    const cluster = new ScriptedCluster([1])
    const codes = [14, 15, 0]
    let lookups = 0
    cluster.broker(1).on(heartbeatApi, () => ({ throttleTimeMs: 0, errorCode: codes.shift() ?? 0 }))
    cluster.broker(1).on(findCoordinatorApi, (request) => {
      const errorCode = ++lookups < 3 ? 15 : 0
      const coordinators = request.coordinatorKeys.map((key) => ({
        key,
        nodeId: 1,
        host: 'broker1',
        port: 9092,
        errorCode,
        errorMessage: null,
      }))
      return { throttleTimeMs: 0, errorCode: 0, errorMessage: '', nodeId: 0, host: '', port: 0, coordinators }
    })
    const client = clientOf(cluster)
    const response = await cluster.network.clock.settle(client.send(heartbeatApi, heartbeat, { group: 'g' }))
    expect(response.errorCode).toBe(0)
    expect(codes).toEqual([])
  })

  test('leaves other errors in the response to the caller', async () => {
    const cluster = new ScriptedCluster([1])
    cluster.broker(1).on(heartbeatApi, () => ({ throttleTimeMs: 0, errorCode: 27 }))
    const client = clientOf(cluster)
    const response = await cluster.network.clock.settle(client.send(heartbeatApi, heartbeat, { group: 'g' }))
    expect(response.errorCode).toBe(27)
    expect(cluster.countOf('Heartbeat')).toBe(1)
  })

  test('a group that we may not look up is an error at once', async () => {
    const cluster = new ScriptedCluster([1])
    cluster.broker(1).on(findCoordinatorApi, (request) => {
      const coordinators = request.coordinatorKeys.map((key) => ({
        key,
        nodeId: -1,
        host: '',
        port: -1,
        errorCode: 30,
        errorMessage: 'no',
      }))
      return { throttleTimeMs: 0, errorCode: 0, errorMessage: '', nodeId: 0, host: '', port: 0, coordinators }
    })
    const client = clientOf(cluster)
    const error = await cluster.network.clock.settle(failureOf(client.send(heartbeatApi, heartbeat, { group: 'g' })))
    expect(error).toMatchObject({ code: 'GROUP_AUTHORIZATION_FAILED' })
    expect(error.message).toContain('group g')
  })

  test('follows the controller', async () => {
    const cluster = new ScriptedCluster([1, 2])
    const client = clientOf(cluster)
    const seen: number[] = []
    for (const broker of cluster.brokers) {
      broker.on(createTopicsApi, (): CreateTopicsResponse => {
        seen.push(broker.id)
        const errorCode = cluster.controllerId === broker.id ? 0 : 41
        const result = { name: 't', topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', errorCode, errorMessage: null }
        const topics = [{ ...result, topicConfigErrorCode: 0, numPartitions: 1, replicationFactor: 1, configs: [] }]
        return { throttleTimeMs: 0, topics }
      })
    }
    await cluster.network.clock.settle(client.connect())
    cluster.controllerId = 2
    const request = { topics: [], timeoutMs: 1, validateOnly: false }
    const errorOf = (response: CreateTopicsResponse) => response.topics[0]!.errorCode
    const response = await cluster.network.clock.settle(client.send(createTopicsApi, request, 'controller', { errorOf }))
    expect(errorOf(response)).toBe(0)
    expect(seen[0]).toBe(1)
    expect(seen.at(-1)).toBe(2)
  })

  test('sends to a partition’s leader, and to the new one after the old one refused', async () => {
    const cluster = new ScriptedCluster([1, 2])
    cluster.topics = [{ name: 't', leaders: [[1, 0]] }]
    const seen: number[] = []
    for (const broker of cluster.brokers) {
      broker.on(listOffsetsApi, () => {
        seen.push(broker.id)
        const errorCode = cluster.topics[0]!.leaders[0]![0] === broker.id ? 0 : 6
        const partitions = [{ partitionIndex: 0, errorCode, timestamp: -1n, offset: 5n, leaderEpoch: 0 }]
        return { throttleTimeMs: 0, topics: [{ name: 't', partitions }] }
      })
    }
    const client = clientOf(cluster)
    const send = () =>
      cluster.network.clock.settle(
        client.send(
          listOffsetsApi,
          { replicaId: -1, isolationLevel: 0, topics: [], timeoutMs: 1 },
          { topic: 't', partition: 0 },
          {
            errorOf: (response) => response.topics[0]!.partitions[0]!.errorCode,
          },
        ),
      )
    await send()
    cluster.topics = [{ name: 't', leaders: [[2, 1]] }]
    await send()
    expect(seen[0]).toBe(1)
    expect(seen.at(-1)).toBe(2)
    expect(client.leaderFor('t', 0)).toMatchObject({ leader: 2, leaderEpoch: 1 })
  })

  test('a partition that the topic does not have is refused by name', async () => {
    const cluster = new ScriptedCluster([1])
    cluster.topics = [{ name: 't', leaders: [[1, 0]] }]
    const client = clientOf(cluster)
    const call = client.send(listOffsetsApi, {} as never, { topic: 't', partition: 3 })
    const error = await cluster.network.clock.settle(failureOf(call))
    expect(error).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', message: 'topic t has no partition 3' })
  })

  test('a node that is not in the cluster is refused by its id', async () => {
    const cluster = new ScriptedCluster([1])
    const client = clientOf(cluster)
    const error = await cluster.network.clock.settle(failureOf(client.send(describeClusterApi, describeRequest, { node: 9 })))
    expect(error.message).toContain('node 9')
    await expect(client.request(9, describeClusterApi, describeRequest)).rejects.toMatchObject({ code: 'BROKER_NOT_AVAILABLE' })
  })

  test('a long poll on its own connection holds up nothing else', async () => {
    const cluster = new ScriptedCluster([1])
    saysWhoItIs(cluster.broker(1))
    cluster.broker(1).on(heartbeatApi, () => 'silence')
    const client = clientOf(cluster)
    await cluster.network.clock.settle(client.connect())
    const poll = failureOf(client.request(1, heartbeatApi, heartbeat, { role: 'fetch', timeoutMs: 20_000 }))
    await cluster.network.clock.settle(client.request(1, describeClusterApi, describeRequest))
    expect(cluster.network.openLinks()).toHaveLength(2)
    await client.close()
    expect((await poll).code).toBe('CLIENT_CLOSED')
  })
})

describe('metadata', () => {
  test('is fetched again after metadataMaxAgeMs for the topics in use, and no longer for the others', async () => {
    const cluster = new ScriptedCluster([1])
    cluster.topics = [
      { name: 'used', leaders: [[1, 0]] },
      { name: 'left', leaders: [[1, 0]] },
    ]
    const asked: string[][] = []
    cluster.broker(1).on(metadataApi, (request) => {
      const names = request.topics?.map(({ name }) => name ?? '') ?? null
      asked.push(names ?? ['all'])
      return cluster.metadata(names)
    })
    const client = clientOf(cluster, { metadataMaxAgeMs: 1_000 })
    let updates = 0
    client.onMetadata(() => updates++)
    await cluster.network.clock.settle(client.refreshMetadata(['used', 'left']))
    for (let period = 0; period < 3; period++) {
      client.leaderFor('used', 0)
      await cluster.network.clock.advance(1_100)
    }
    expect(asked).toEqual([['used', 'left'], ['used', 'left'], ['used'], ['used']])
    expect(updates).toBe(4)
    expect(client.partitionsFor('left')).toEqual([])
  })

  test('refreshes that come while one is under way become one more', async () => {
    const cluster = new ScriptedCluster([1])
    cluster.topics = ['a', 'b', 'c'].map((name) => ({ name, leaders: [[1, 0]] }))
    const client = clientOf(cluster)
    await cluster.network.clock.settle(client.connect())
    const before = cluster.countOf('Metadata')
    const refreshes = [['a'], ['a'], ['b'], ['c'], ['b', 'c'], []].map((topics) => client.refreshMetadata(topics))
    await cluster.network.clock.settle(Promise.all(refreshes))
    expect(cluster.countOf('Metadata') - before).toBe(2)
    expect(['a', 'b', 'c'].map((name) => client.partitionsFor(name).length)).toEqual([1, 1, 1])
  })

  test('waitForTopic waits until the topic is there', async () => {
    const cluster = new ScriptedCluster([1])
    const client = clientOf(cluster)
    cluster.network.clock.after(
      2_000,
      () =>
        (cluster.topics = [
          {
            name: 't',
            leaders: [
              [1, 0],
              [1, 0],
            ],
          },
        ]),
    )
    const topic = await cluster.network.clock.settle(client.waitForTopic('t'))
    expect(topic.partitions).toHaveLength(2)
    expect(client.topicId('t')).toBe('AAAAAAAAAAAAAAAAAAAAAQ')
    expect(client.topicName('AAAAAAAAAAAAAAAAAAAAAQ')).toBe('t')
  })

  test('waitForTopic gives up with the topic’s own error at its timeout', async () => {
    const cluster = new ScriptedCluster([1])
    const client = clientOf(cluster)
    const error = await cluster.network.clock.settle(failureOf(client.waitForTopic('nope', { timeoutMs: 700 })))
    expect(error.code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(error.message).toContain('topic nope was not there within 700 ms')
  })

  test('takes a leader that a refusal named without asking anybody', async () => {
    const cluster = new ScriptedCluster([1, 2])
    cluster.topics = [{ name: 't', leaders: [[1, 4]] }]
    const client = clientOf(cluster)
    await cluster.network.clock.settle(client.refreshMetadata(['t']))
    const before = cluster.countOf('Metadata')
    expect(client.applyLeaderHint('t', 0, 2, 5)).toBe(true)
    expect(client.applyLeaderHint('t', 0, 1, 4)).toBe(false)
    expect(client.leaderFor('t', 0)).toMatchObject({ leader: 2, leaderEpoch: 5 })
    expect(cluster.countOf('Metadata')).toBe(before)
  })

  test('has the finalized features of the cluster', async () => {
    const cluster = new ScriptedCluster([1])
    cluster.broker(1).features = [{ name: 'transaction.version', minVersionLevel: 0, maxVersionLevel: 2 }]
    const client = clientOf(cluster)
    await cluster.network.clock.settle(client.connect())
    expect(client.finalizedFeature('transaction.version')).toBe(2)
    expect(client.finalizedFeature('no.such')).toBe(0)
  })
})

describe('connections', () => {
  test('are closed when idle, and made again when needed', async () => {
    const cluster = new ScriptedCluster([1])
    saysWhoItIs(cluster.broker(1))
    const client = clientOf(cluster, { connectionsMaxIdleMs: 5_000 })
    const send = () => cluster.network.clock.settle(client.send(describeClusterApi, describeRequest, { node: 1 }))
    await send()
    await cluster.network.clock.advance(4_900)
    expect(cluster.network.openLinks()).toHaveLength(1)
    await cluster.network.clock.advance(200)
    expect(cluster.network.openLinks()).toHaveLength(0)
    expect((await send()).clusterId).toBe('1')
  })

  test('to a node that moved are made to its new address', async () => {
    const network = new ScriptedNetwork()
    const cluster = new ScriptedCluster([1, 2], network)
    for (const broker of cluster.brokers) saysWhoItIs(broker)
    const client = clientOf(cluster)
    await network.clock.settle(client.send(describeClusterApi, describeRequest, { node: 2 }))
    const moved = { nodeId: 2, host: 'elsewhere', port: 1, rack: null }
    cluster.broker(1).on(metadataApi, () => ({
      ...cluster.metadata([]),
      brokers: [{ nodeId: 1, host: 'broker1', port: 9092, rack: null }, moved],
    }))
    cluster.broker(2).on(metadataApi, () => ({
      ...cluster.metadata([]),
      brokers: [{ nodeId: 1, host: 'broker1', port: 9092, rack: null }, moved],
    }))
    await network.clock.settle(client.refreshMetadata())
    await network.clock.settle(failureOf(client.request(2, describeClusterApi, describeRequest)))
    expect(network.attempts.at(-1)).toBe('elsewhere:1')
  })

  test('to a node that left the cluster are closed, those with an answer to come when it is there', async () => {
    const cluster = new ScriptedCluster([1, 2, 3])
    const client = clientOf(cluster)
    for (const broker of cluster.brokers) saysWhoItIs(broker)
    const answers: (() => void)[] = []
    cluster.broker(2).on(describeClusterApi, (_request, header, link) => {
      const frame = encodeResponseFrame(describeClusterApi, header.apiVersion, header.correlationId, describeResponse('late'))
      answers.push(() => link.send(Buffer.concat(frame)))
      return 'silence'
    })
    await cluster.network.clock.settle(client.connect())
    await cluster.network.clock.settle(client.request(3, describeClusterApi, describeRequest))
    const late = client.request(2, describeClusterApi, describeRequest)
    await cluster.network.clock.runUntil(() => answers.length === 1)
    const left = cluster.brokers.splice(1, 2)
    for (const broker of left) broker.on(metadataApi, () => cluster.metadata([]))
    const hosts = () => cluster.network.openLinks().map(({ endpoint }) => endpoint.host)
    await cluster.network.clock.settle(client.refreshMetadata())
    expect(hosts()).not.toContain('broker3')
    expect(hosts()).toContain('broker2')
    answers[0]!()
    expect((await cluster.network.clock.settle(late)).clusterId).toBe('late')
    await cluster.network.clock.settle(client.refreshMetadata())
    expect(hosts()).not.toContain('broker2')
  })

  test('are made again only after a backoff, which grows', async () => {
    const network = new ScriptedNetwork()
    const cluster = new ScriptedCluster([1], network)
    const client = clientOf(cluster, { reconnectBackoffMs: 100, reconnectBackoffMaxMs: 1_000 })
    await network.clock.settle(client.connect())
    cluster.broker(1).stop()
    const took: number[] = []
    for (let attempt = 0; attempt < 5; attempt++) {
      const startedAt = network.clock.now()
      await network.clock.settle(failureOf(client.request(1, describeClusterApi, describeRequest)))
      took.push(network.clock.now() - startedAt)
      expect(client.isAvailable(1)).toBe(false)
    }
    expect(took[0]).toBe(network.latencyMs)
    expect(took[1]).toBeGreaterThanOrEqual(80)
    expect(took[1]).toBeLessThanOrEqual(121)
    expect(took[4]).toBeGreaterThanOrEqual(640)
    cluster.broker(1).start()
    saysWhoItIs(cluster.broker(1))
    await network.clock.settle(client.request(1, describeClusterApi, describeRequest))
    expect(client.isAvailable(1)).toBe(true)
    expect(client.isReady(1)).toBe(true)
  })

  test('are given up when they are not set up in time, with a longer time for the next attempt', async () => {
    const network = new ScriptedNetwork()
    const cluster = new ScriptedCluster([1], network)
    const client = clientOf(cluster, { socketConnectionSetupTimeoutMs: 1_000, socketConnectionSetupTimeoutMaxMs: 4_000 })
    await network.clock.settle(client.connect())
    network.latencyMs = 1e9
    const took: number[] = []
    for (let attempt = 0; attempt < 4; attempt++) {
      const startedAt = network.clock.now()
      const error = await network.clock.settle(
        failureOf(client.request(1, describeClusterApi, describeRequest, { role: `r${attempt}` })),
        60_000,
      )
      expect(error.message).toContain('not connected within')
      took.push(network.clock.now() - startedAt)
    }
    expect(took[0]).toBeGreaterThanOrEqual(800)
    expect(took[0]).toBeLessThanOrEqual(1_200)
    expect(took[3]).toBeGreaterThan(3_000)
  })
})

describe('abort and close', () => {
  test('a signal ends a call at once, wherever it is, and leaves the connection to the others', async () => {
    const cluster = new ScriptedCluster([1])
    cluster
      .broker(1)
      .on(describeClusterApi, () => 'silence')
      .on(heartbeatApi, () => ({ throttleTimeMs: 0, errorCode: 0 }))
    const client = clientOf(cluster)
    const reason = new Error('changed my mind')
    const before = new AbortController()
    before.abort(reason)
    expect(await failureOf(client.send(describeClusterApi, describeRequest, 'any', { signal: before.signal }))).toMatchObject({
      code: 'ABORTED',
      cause: reason,
    })
    await cluster.network.clock.settle(client.connect())
    const during = new AbortController()
    const call = failureOf(client.send(describeClusterApi, describeRequest, 'any', { signal: during.signal }))
    await cluster.network.clock.runUntil(() => cluster.countOf('DescribeCluster') === 1)
    expect(getEventListeners(during.signal, 'abort')).toHaveLength(1)
    during.abort(reason)
    expect(await call).toMatchObject({ code: 'ABORTED', cause: reason, retriable: false })
    expect(cluster.network.openLinks()).toHaveLength(1)
  })

  test('a signal that never fires is left as it was found', async () => {
    const cluster = new ScriptedCluster([1])
    saysWhoItIs(cluster.broker(1))
    const client = clientOf(cluster)
    const { signal } = new AbortController()
    await cluster.network.clock.settle(client.send(describeClusterApi, describeRequest, 'any', { signal }))
    await cluster.network.clock.settle(client.coordinatorFor('group', 'g', { signal }))
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  test('a signal ends waiting for bootstrap, a topic and a backoff', async () => {
    const network = new ScriptedNetwork()
    const client = new ClusterClient({ bootstrapServers: 'nobody:1' }, network)
    clients.push(client)
    const controller = new AbortController()
    const calls = [
      client.connect({ signal: controller.signal }),
      client.waitForTopic('t', { signal: controller.signal }),
      client.send(describeClusterApi, describeRequest, 'any', { signal: controller.signal }),
      client.coordinatorFor('group', 'g', { signal: controller.signal }),
      client.sleep(1e6, controller.signal),
    ].map((call) => failureOf(call))
    await network.clock.advance(1_000)
    controller.abort()
    for (const error of await Promise.all(calls)) expect(error.code).toBe('ABORTED')
  })

  test('close rejects everything that waits, closes every connection and leaves no timer behind', async () => {
    const cluster = new ScriptedCluster([1])
    cluster.broker(1).on(describeClusterApi, () => 'silence')
    const client = clientOf(cluster)
    await cluster.network.clock.settle(client.connect())
    const calls = [
      client.send(describeClusterApi, describeRequest, 'any'),
      client.request(1, describeClusterApi, describeRequest, { role: 'fetch' }),
      client.waitForTopic('never'),
      client.sleep(1e6),
    ].map((call) => failureOf(call))
    await cluster.network.clock.advance(50)
    await client.close()
    await client.close()
    for (const error of await Promise.all(calls)) expect(error.code).toBe('CLIENT_CLOSED')
    expect(cluster.network.openLinks()).toEqual([])
    const closedAt = cluster.network.clock.now()
    await expect(cluster.network.clock.runUntil(() => false, 1e9)).rejects.toThrow('stands still')
    expect(cluster.network.clock.now() - closedAt).toBeLessThanOrEqual(cluster.network.latencyMs)
  })

  test('a refresh that waited for another one is not begun after close', async () => {
    const network = new ScriptedNetwork()
    network.listen('silent', 1, () => {})
    const client = new ClusterClient({ bootstrapServers: 'silent:1' }, network)
    const calls = [client.refreshMetadata([]), client.refreshMetadata(['t'])].map((call) => failureOf(call))
    await network.clock.runUntil(() => network.openLinks().length === 1)
    await client.close()
    for (const error of await Promise.all(calls)) expect(error.code).toBe('CLIENT_CLOSED')
    await network.clock.advance(100_000)
    expect(network.attempts).toHaveLength(1)
    expect(network.openLinks()).toEqual([])
  })

  test('after close every call rejects', async () => {
    const cluster = new ScriptedCluster([1])
    const client = clientOf(cluster)
    await client.close()
    const calls = [
      client.connect(),
      client.send(describeClusterApi, describeRequest, 'any'),
      client.request(1, describeClusterApi, describeRequest),
      client.refreshMetadata(['t']),
      client.waitForTopic('t'),
      client.coordinatorFor('group', 'g'),
    ]
    for (const call of calls) expect((await failureOf(call)).code).toBe('CLIENT_CLOSED')
    expect(cluster.network.attempts).toEqual([])
  })

  test.each([Number.NaN, -1, Infinity, '5', null])('a timeout of %j is refused, not waited for', async (timeoutMs) => {
    const client = clientOf(new ScriptedCluster([1]))
    const options = { timeoutMs: timeoutMs as number }
    const calls = [
      client.connect(options),
      client.send(describeClusterApi, describeRequest, 'any', options),
      client.refreshMetadata([], options),
      client.waitForTopic('t', options),
      client.coordinatorFor('group', 'g', options),
    ]
    for (const call of calls) expect((await failureOf(call)).message).toContain('timeoutMs')
  })

  test('await using closes', async () => {
    const cluster = new ScriptedCluster([1])
    {
      await using client = new ClusterClient({ bootstrapServers: cluster.bootstrapServers }, cluster.network)
      await cluster.network.clock.settle(client.connect())
      client
        .request(1, metadataApi, {
          topics: [],
          allowAutoTopicCreation: false,
          includeClusterAuthorizedOperations: false,
          includeTopicAuthorizedOperations: false,
        })
        .catch(() => {})
    }
    expect(cluster.network.openLinks()).toEqual([])
  })
})
