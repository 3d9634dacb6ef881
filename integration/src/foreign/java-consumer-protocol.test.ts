import { javaArguments } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { ascending, until } from '../scenarios/clients.ts'
import { describeOn, uniqueName, type SuiteBroker } from '../suite.ts'
import { brokerUnderTest } from './broker-under-test.ts'
import { kafkaTool, missing } from './tools.ts'
import { startVerifiableConsumer, type VerifiableConsumer } from './verifiable-consumer.ts'

const CONSUMER = ['--group-protocol', 'consumer']
const ALL = [0, 1, 2, 3]

await describeOn("Java's consumers in groups of the consumer protocol", brokerUnderTest, [missing.java], (broker) => {
  test('two share the partitions, and the one that stays gets those of the one that leaves', async () => {
    const topic = await createTopic(broker)
    const group = uniqueName('modern')
    const java = await javaArguments()
    const first = startVerifiableConsumer(java, broker.bootstrapServers, topic, group, CONSUMER)
    await until(() => first.assigned().length === 4, 'all partitions for the first')
    const second = startVerifiableConsumer(java, broker.bootstrapServers, topic, group, CONSUMER)
    await until(() => first.assigned().length === 2 && second.assigned().length === 2, 'two partitions for each')
    expect(together(first, second)).toEqual(ALL)

    const state = await groups(broker, '--describe', '--group', group, '--state')
    expect(state).toMatch(new RegExp(`${group}\\s+\\S+\\s+\\(1\\)\\s+uniform\\s+Stable\\s+2`))
    const members = await groups(broker, '--describe', '--group', group, '--members', '--verbose')
    expect(members.split('\n').filter((line) => line.startsWith(group))).toHaveLength(2)
    expect(members).toContain('CURRENT-EPOCH')
    await produce(broker, topic, 'a')
    await until(() => first.values().length + second.values().length >= 100, 'all 100 records')

    await second.stop()
    await until(() => first.assigned().length === 4, 'all partitions after the second left')
    await produce(broker, topic, 'b')
    await until(() => first.values().filter((value) => value.startsWith('b')).length === 100, 'all 100 records again')
    const values = [...first.values(), ...second.values()]
    expect(new Set(values).size).toBe(200)
  })

  test('a group moves from the classic protocol to the new one and back, one member at a time, and loses nothing', async () => {
    const topic = await createTopic(broker)
    const group = uniqueName('migrating')
    const java = await javaArguments()
    const type = async (): Promise<string> => {
      const listed = await kafkaTool('kafka-groups', ['--bootstrap-server', broker.bootstrapServers, '--list'])
      return listed
        .split('\n')
        .find((line) => line.startsWith(group))!
        .split(/\s+/)[1]!
    }
    const assignor = ['--assignment-strategy', 'org.apache.kafka.clients.consumer.CooperativeStickyAssignor']
    const old = startVerifiableConsumer(java, broker.bootstrapServers, topic, group, assignor)
    await until(() => old.assigned().length === 4, 'all partitions for the classic member')
    expect(await type()).toBe('Classic')
    await produce(broker, topic, 'classic')

    const modern = startVerifiableConsumer(java, broker.bootstrapServers, topic, group, CONSUMER)
    await until(() => old.assigned().length === 2 && modern.assigned().length === 2, 'two partitions for each')
    expect(together(old, modern)).toEqual(ALL)
    expect(await type()).toBe('Consumer')
    await produce(broker, topic, 'mixed')
    await until(() => old.values().length + modern.values().length >= 200, 'what was sent to the mixed group')

    const again = startVerifiableConsumer(java, broker.bootstrapServers, topic, group, assignor)
    await until(() => again.assigned().length > 0, 'partitions for another classic member')
    await modern.stop()
    await until(() => together(old, again).length === 4, 'all partitions for the classic members')
    expect(together(old, again)).toEqual(ALL)
    expect(await type()).toBe('Classic')
    await produce(broker, topic, 'again')
    const values = (): string[] => [old, modern, again].flatMap((consumer) => consumer.values())
    await until(() => new Set(values()).size === 300, 'all 300 records')
  })
})

function together(...consumers: readonly VerifiableConsumer[]): number[] {
  return consumers.flatMap((consumer) => consumer.assigned()).toSorted(ascending)
}

async function createTopic(broker: SuiteBroker): Promise<string> {
  const topic = uniqueName('modern')
  const create = ['--bootstrap-server', broker.bootstrapServers, '--create', '--topic', topic, '--partitions', '4']
  await kafkaTool('kafka-topics', create)
  return topic
}

async function produce(broker: SuiteBroker, topic: string, prefix: string): Promise<void> {
  const args = ['--bootstrap-server', broker.bootstrapServers, '--topic', topic, '--reader-property', 'parse.key=true']
  const lines = Array.from({ length: 100 }, (_, index) => `${index}\t${prefix}-${index}`)
  await kafkaTool('kafka-console-producer', args, { input: `${lines.join('\n')}\n` })
}

function groups(broker: SuiteBroker, ...args: string[]): Promise<string> {
  return kafkaTool('kafka-consumer-groups', ['--bootstrap-server', broker.bootstrapServers, ...args])
}
