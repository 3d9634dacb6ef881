import { Admin } from '@millrace/admin'
import { Consumer, type ConsumerOptions } from '@millrace/consumer-group'
import { Producer } from '@millrace/producer'
import { javaArguments } from '@millrace/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../scenarios/clients.ts'
import { describeOn, uniqueName } from '../suite.ts'
import { brokerUnderTest } from './broker-under-test.ts'
import { missing } from './tools.ts'
import { startVerifiableConsumer } from './verifiable-consumer.ts'

const PARTITIONS = 4
const PER_PARTITION = 25
const PACKAGE = 'org.apache.kafka.clients.consumer'

interface Way {
  readonly name: string
  readonly ours: Partial<ConsumerOptions>
  readonly theirs: readonly string[]
}

function classic(name: 'range' | 'roundrobin' | 'sticky' | 'cooperative-sticky', className: string): Way {
  const ours = { partitionAssignors: [name], heartbeatIntervalMs: 500 }
  return { name, ours, theirs: ['--assignment-strategy', `${PACKAGE}.${className}`] }
}

const WAYS: readonly Way[] = [
  classic('range', 'RangeAssignor'),
  classic('roundrobin', 'RoundRobinAssignor'),
  classic('sticky', 'StickyAssignor'),
  classic('cooperative-sticky', 'CooperativeStickyAssignor'),
  { name: 'the protocol consumer', ours: { groupProtocol: 'consumer' }, theirs: ['--group-protocol', 'consumer'] },
]

await describeOn("Our consumer and Java's in one group", brokerUnderTest, [missing.java], (broker) => {
  test.each(WAYS)('share the partitions by $name, whoever came first, and read everything once', async ({ ours, theirs }) => {
    const { bootstrapServers } = broker
    const topic = uniqueName('mixed')
    await using admin = new Admin({ bootstrapServers })
    await admin.createTopics([{ name: topic, numPartitions: PARTITIONS }])
    await using producer = new Producer({ bootstrapServers })
    const produce = async (prefix: string): Promise<void> => {
      const all = Array.from({ length: PARTITIONS * PER_PARTITION }, (_, index) => ({
        value: `${prefix}-${index}`,
        partition: index % PARTITIONS,
      }))
      await producer.sendAll(topic, all)
    }
    const consumers: Consumer[] = []
    const read: string[] = []
    const startOurs = (): Consumer => {
      const consumer = new Consumer({ bootstrapServers, groupId: topic, topics: [topic], autoOffsetReset: 'earliest', ...ours })
      const loop = (async () => {
        for await (const { value } of consumer) read.push(String(value))
      })()
      onTestFinished(async () => {
        await consumer.close()
        await loop
      })
      consumers.push(consumer)
      return consumer
    }

    const first = startOurs()
    await until(() => first.assignment.length === PARTITIONS, 'all partitions for ours')
    const java = startVerifiableConsumer(await javaArguments(), bootstrapServers, topic, topic, theirs)
    await until(() => first.assignment.length === 2 && java.assigned().length === 2, 'two partitions for each')
    const together = [...first.assignment.map(({ partition }) => partition), ...java.assigned()]
    expect(together.sort((a, b) => a - b)).toEqual([0, 1, 2, 3])
    await produce('both')
    await until(() => read.length + java.values().length === PARTITIONS * PER_PARTITION, 'all records')
    expect(new Set([...read, ...java.values()]).size).toBe(PARTITIONS * PER_PARTITION)

    // Now Java's is there first, and assigns where members do.
    await first.close()
    await until(() => java.assigned().length === PARTITIONS, "all partitions for Java's")
    const second = startOurs()
    await until(() => second.assignment.length === 2 && java.assigned().length === 2, 'two partitions for each again')
    await java.stop()
    await until(() => second.assignment.length === PARTITIONS, 'all partitions for ours again')
    await produce('ours')
    await until(() => read.filter((value) => value.startsWith('ours')).length === PARTITIONS * PER_PARTITION, 'all records again')
  })
})
