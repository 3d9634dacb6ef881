import { KafkaError } from '@millrace/protocol'
import { describeClusterApi, type DescribeClusterResponse } from '@millrace/protocol/apis/describe-cluster'
import { findCoordinatorApi } from '@millrace/protocol/apis/find-coordinator'
import { metadataApi } from '@millrace/protocol/apis/metadata'
import { encodeResponseFrame } from '@millrace/protocol/internal'
import { SeededRandom } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { ScriptedCluster, ScriptedNetwork, type Link, type Reply } from '../test/scripted-network.ts'
import { ClusterClient } from './cluster-client.ts'
import type { Target } from './send-options.ts'

const SEEDS = 100
const CALLS = 60
const request = { includeClusterAuthorizedOperations: false, endpointType: 1, includeFencedBrokers: false }

function response(clusterId: string, throttleTimeMs: number): DescribeClusterResponse {
  return {
    throttleTimeMs,
    errorCode: 0,
    errorMessage: null,
    endpointType: 1,
    clusterId,
    controllerId: 1,
    brokers: [],
    clusterAuthorizedOperations: 0,
  }
}

/** A broker's bad day: one of the ways in which an answer can go wrong, or null for none. */
function mishap(random: SeededRandom, link: Link): Reply<never> | null {
  if (random.chance(0.7)) return null
  const kind = random.between(0, 3)
  if (kind === 0) return 'silence'
  if (kind === 1) return 'close'
  const bytes = Buffer.from(Array.from({ length: random.between(1, 40) }, () => random.between(0, 255)))
  if (kind === 2) return { raw: bytes }
  link.send(bytes.subarray(0, 3))
  return 'close'
}

function unruly(random: SeededRandom, cluster: ScriptedCluster): void {
  for (const broker of cluster.brokers) {
    broker.on(
      metadataApi,
      (asked, _header, link) => mishap(random, link) ?? cluster.metadata(asked.topics?.map(({ name }) => name ?? '') ?? null),
    )
    broker.on(describeClusterApi, (_request, header, link) => {
      const wrong = mishap(random, link)
      if (wrong !== null) return wrong
      const answer = response(`broker ${broker.id}`, random.chance(0.1) ? random.between(1, 500) : 0)
      const frame = Buffer.concat(encodeResponseFrame(describeClusterApi, header.apiVersion, header.correlationId, answer))
      const cut = random.between(1, frame.length - 1)
      link.send(frame.subarray(0, cut))
      return { raw: frame.subarray(cut) }
    })
    broker.on(findCoordinatorApi, (asked, _header, link) => {
      const { id, host, port } = random.pick(cluster.brokers)
      const errorCode = random.chance(0.2) ? 15 : 0
      const coordinators = asked.coordinatorKeys.map((key) => ({ key, nodeId: id, host, port, errorCode, errorMessage: null }))
      return (
        mishap(random, link) ?? { throttleTimeMs: 0, errorCode: 0, errorMessage: '', nodeId: 0, host: '', port: 0, coordinators }
      )
    })
  }
}

/** Brokers stop and come back all the time. */
function scheduleOutages(random: SeededRandom, cluster: ScriptedCluster): void {
  const { clock } = cluster.network
  for (let outage = 0; outage < 20; outage++) {
    const broker = random.pick(cluster.brokers)
    const at = random.between(0, 40_000)
    clock.after(at, () => broker.stop())
    clock.after(at + random.between(1, 8_000), () => broker.start())
  }
}

interface Call {
  readonly description: string
  readonly timeoutMs: number
  readonly startedAt: number
  settledAt: number | null
  outcome: unknown
}

async function run(seed: number): Promise<Call[]> {
  const random = new SeededRandom(seed)
  const network = new ScriptedNetwork(seed)
  const cluster = new ScriptedCluster([1, 2, 3], network)
  cluster.topics = [
    {
      name: 't',
      leaders: [
        [1, 0],
        [2, 0],
        [3, 0],
      ],
    },
  ]
  unruly(random, cluster)
  scheduleOutages(random, cluster)
  const client = new ClusterClient(
    { bootstrapServers: cluster.bootstrapServers, requestTimeoutMs: 2_000, connectionsMaxIdleMs: 3_000 },
    network,
  )
  const calls: Call[] = []
  for (let index = 0; index < CALLS; index++) {
    const targets: Target[] = ['any', 'controller', { node: random.between(1, 4) }, { group: `g${random.between(0, 2)}` }]
    const target = random.pick([...targets, { topic: 't', partition: random.between(0, 3) }])
    const timeoutMs = random.between(1, 10_000)
    const controller = new AbortController()
    network.clock.after(random.between(0, 40_000), () => {
      const call: Call = {
        description: JSON.stringify(target),
        timeoutMs,
        startedAt: network.clock.now(),
        settledAt: null,
        outcome: null,
      }
      calls.push(call)
      if (random.chance(0.1)) network.clock.after(random.between(0, 3_000), () => controller.abort())
      const settle = (outcome: unknown): void => {
        if (call.settledAt !== null) throw new Error('settled twice')
        call.settledAt = network.clock.now()
        call.outcome = outcome
      }
      client
        .send(describeClusterApi, request, target, { timeoutMs, signal: controller.signal })
        .then((answer) => settle(answer.clusterId), settle)
    })
  }
  const closesEarly = random.chance(0.3)
  await network.clock.advance(closesEarly ? 30_000 : 60_000)
  await client.close()
  await network.clock.advance(20_000)
  expect(network.openLinks()).toEqual([])
  return calls
}

test(`in ${SEEDS} runs with brokers that stop, stay silent, send garbage and hang up, every call ends in time, right or with a typed error`, async () => {
  let [right, failed] = [0, 0]
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const { description, timeoutMs, startedAt, settledAt, outcome } of await run(seed)) {
      const name = `seed ${seed}: ${description} within ${timeoutMs} ms`
      expect(settledAt, `${name} never ended`).not.toBeNull()
      expect(settledAt! - startedAt, name).toBeLessThanOrEqual(timeoutMs)
      if (outcome instanceof KafkaError) failed++
      else expect(String(outcome), name).toMatch(/^broker [1-3]$/)
      if (!(outcome instanceof KafkaError)) right++
    }
  }
  // Both must happen often, or the runs say nothing.
  expect(right).toBeGreaterThan(SEEDS * 10)
  expect(failed).toBeGreaterThan(SEEDS * 5)
})
