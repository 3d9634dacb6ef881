import { Broker, type FaultAnswer } from '@millrace/broker'
import { runOk, type RunOptions } from '@millrace/testkit'
import { afterEach, expect, test } from 'vitest'
import type { Provider } from '../providers/provider.ts'
import { describeOn, uniqueName } from '../suite.ts'
import { consoleArguments, kafkaTool, missing } from './tools.ts'

/** Clients that we did not write, against a broker that misbehaves: it does so as a Kafka would, or they would lose or double records. */
let broker: Broker
const faulty: Provider = {
  name: 'embedded broker',
  available: async () => undefined,
  start: async () => {
    broker = await Broker.start({ port: 0 })
    broker.requests.start()
    const { bootstrapServers } = broker
    return { bootstrapServers, stop: () => broker.close() }
  },
}

const LINES = Array.from({ length: 400 }, (_, index) => `record ${index}`)
const INPUT = `${LINES.join('\n')}\n`

const WRITE_FAULTS: [string, FaultAnswer][] = [
  ['an error that passes', { error: 'NOT_ENOUGH_REPLICAS' }],
  ['an election', { electLeader: 1 }],
  ['a request that is lost', { cut: 'before' }],
  ['a reply that is lost', { cut: 'after' }],
  ['a reply that is cut within its length', { cutReplyAfterBytes: 3 }],
  ['a reply that is cut within its body', { cutReplyAfterBytes: 20 }],
  ['a late reply', { delayMs: 300 }],
  ['a throttled reply', { throttleTimeMs: 300 }],
]

const READ_FAULTS: [string, FaultAnswer][] = [
  ['an error that passes', { error: 'KAFKA_STORAGE_ERROR' }],
  ...WRITE_FAULTS.slice(1),
  ['a reply that is cut within its records', { cutReplyAfterBytes: 3000 }],
]

function kcat(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const address = ['-b', broker.bootstrapServers, '-X', 'broker.address.family=v4']
  return runOk('kcat', [...address, ...args], options).then(({ stdout }) => stdout)
}

async function read(topic: string): Promise<string[]> {
  const printed = await kcat(['-C', '-t', topic, '-p', '0', '-o', 'beginning', '-e', '-q'])
  return printed.trimEnd().split('\n')
}

afterEach(() => broker.faults.clear())

/** kcat ends by itself when the only broker cuts the connection; librdkafka would go on. */
const keepsConnection = ([, answer]: [string, FaultAnswer]): boolean =>
  typeof answer === 'object' && !('cut' in answer) && !('cutReplyAfterBytes' in answer)

await describeOn('kcat under faults', faulty, [missing.kcat], () => {
  const idempotent = ['-X', 'enable.idempotence=true', '-X', 'batch.num.messages=40', '-X', 'retry.backoff.ms=10']

  test.each(WRITE_FAULTS.filter(keepsConnection))('writes each record once: %s', async (_, answer) => {
    const topic = uniqueName('faulty-writes')
    const fault = broker.faults.add({ api: 'Produce', topic, skip: 2, times: 2, answer })
    await kcat(['-P', '-t', topic, '-p', '0', ...idempotent], { input: INPUT })
    expect(fault.hits).toBe(2)
    broker.faults.clear()
    expect(await read(topic)).toEqual(LINES)
  })

  test.each(READ_FAULTS.filter(keepsConnection))('reads each record once: %s', async (_, answer) => {
    const topic = uniqueName('faulty-reads')
    await kcat(['-P', '-t', topic, '-p', '0', ...idempotent], { input: INPUT })
    const fault = broker.faults.add({ api: 'Fetch', topic, times: 2, answer })
    expect(await read(topic)).toEqual(LINES)
    expect(fault.hits).toBeGreaterThan(0)
  })
})

await describeOn("Kafka's console clients under faults", faulty, [missing.java], () => {
  /** In many small batches. */
  const write = async (topic: string): Promise<void> => {
    const properties = ['batch.size=400', 'linger.ms=0', 'retry.backoff.ms=20'].flatMap((one) => ['--command-property', one])
    const args = ['--bootstrap-server', broker.bootstrapServers, '--topic', topic, ...properties]
    await kafkaTool('kafka-console-producer', args, { input: INPUT })
  }

  test('the producer writes each record once, whatever happens to its requests', async () => {
    const topic = uniqueName('java-writes')
    const faults = WRITE_FAULTS.map(([, answer]) => broker.faults.add({ api: 'Produce', topic, skip: 1, answer }))
    await write(topic)
    expect(faults.map(({ hits }) => hits)).toEqual(faults.map(() => 1))
    const printed = await kafkaTool('kafka-console-consumer', consoleArguments(broker.bootstrapServers, topic, LINES.length))
    expect(printed.trimEnd().split('\n')).toEqual(LINES)
    expect(broker.requests.list({ api: 'Produce', topic, outcome: 'cut' })).toHaveLength(4)
  })

  test('the consumer of a group reads each record once, whatever happens to its requests', async () => {
    const topic = uniqueName('java-reads')
    const group = uniqueName('java-group')
    await write(topic)
    const groupFaults = [
      broker.faults.add({ api: 'ApiVersions', answer: { cut: 'before' } }),
      broker.faults.add({ api: 'Metadata', topic, answer: { error: 'LEADER_NOT_AVAILABLE' } }),
      broker.faults.add({ api: 'FindCoordinator', group, answer: { error: 'COORDINATOR_NOT_AVAILABLE' } }),
      broker.faults.add({ api: 'JoinGroup', group, answer: { error: 'NOT_COORDINATOR' } }),
      // Not the reply that hands out a member id: as in Kafka, the group would wait for that member until its session ends.
      broker.faults.add({ api: 'JoinGroup', group, skip: 1, answer: { cut: 'after' } }),
      broker.faults.add({ api: 'SyncGroup', group, answer: { error: 'REBALANCE_IN_PROGRESS' } }),
      broker.faults.add({ api: 'OffsetFetch', group, answer: { error: 'COORDINATOR_LOAD_IN_PROGRESS' } }),
    ]
    const fetchFaults = READ_FAULTS.map(([, answer]) => broker.faults.add({ api: 'Fetch', topic, answer }))
    const args = [...consoleArguments(broker.bootstrapServers, topic, LINES.length), '--group', group]
    const small = ['--command-property', 'max.partition.fetch.bytes=1000']
    const printed = await kafkaTool('kafka-console-consumer', [...args, ...small])
    expect(printed.trimEnd().split('\n')).toEqual(LINES)
    expect([...groupFaults, ...fetchFaults].filter(({ hits }) => hits === 0).map(({ options }) => options)).toEqual([])
  })
})
