import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { describeOn, uniqueName } from '../suite.ts'
import { brokerUnderTest } from './broker-under-test.ts'
import { kafkaTool, missing, tryKafkaTool } from './tools.ts'

await describeOn("Kafka's topic and configuration tools", brokerUnderTest, [missing.java], (broker) => {
  const topics = (...args: string[]): Promise<string> =>
    kafkaTool('kafka-topics', ['--bootstrap-server', broker.bootstrapServers, ...args])

  test('kafka-broker-api-versions reads our version ranges', async () => {
    const printed = await kafkaTool('kafka-broker-api-versions', ['--bootstrap-server', broker.bootstrapServers])
    expect(printed).toContain('(id: 1 rack: null isFenced: false)')
    expect(printed).toMatch(/Produce\(0\): 0 to \d+ \[usable: \d+\]/)
    expect(printed).toMatch(/ApiVersions\(18\): 0 to \d+ \[usable: \d+\]/)
  })

  test('kafka-topics creates, lists, describes, extends and deletes', async () => {
    const topic = uniqueName('tools')
    await topics('--create', '--topic', topic, '--partitions', '3', '--config', 'retention.ms=3600000')
    expect((await topics('--list')).split('\n')).toContain(topic)
    const described = await topics('--describe', '--topic', topic)
    expect(described).toMatch(
      new RegExp(
        `Topic: ${topic}\\s+TopicId: [\\w-]{22}\\s+PartitionCount: 3\\s+ReplicationFactor: 1\\s+Configs: .*retention.ms=3600000`,
      ),
    )
    expect(described.match(/Partition: [012]\s+Leader: 1\s+Replicas: 1\s+Isr: 1/g)).toHaveLength(3)
    await topics('--alter', '--topic', topic, '--partitions', '5')
    expect(await topics('--describe', '--topic', topic)).toContain('PartitionCount: 5')
    await topics('--delete', '--topic', topic)
    expect((await topics('--list')).split('\n')).not.toContain(topic)
  })

  test('kafka-topics is told of a topic that exists, and of one that does not', async () => {
    const topic = uniqueName('twice')
    await topics('--create', '--topic', topic)
    const again = await tryKafkaTool('kafka-topics', [
      '--bootstrap-server',
      broker.bootstrapServers,
      '--create',
      '--topic',
      topic,
    ])
    expect(again.exitCode).not.toBe(0)
    expect(again.stdout + again.stderr).toContain('TopicExistsException')
    const absent = await tryKafkaTool('kafka-topics', [
      '--bootstrap-server',
      broker.bootstrapServers,
      '--describe',
      '--topic',
      uniqueName('absent'),
    ])
    expect(absent.exitCode).not.toBe(0)
  })

  test("kafka-configs changes a group's own configuration, and is held to the broker's bounds", async () => {
    const group = uniqueName('configured')
    const args = ['--bootstrap-server', broker.bootstrapServers, '--entity-type', 'groups', '--entity-name', group]
    const configs = (...more: string[]): Promise<string> => kafkaTool('kafka-configs', [...args, ...more])
    await configs('--alter', '--add-config', 'consumer.session.timeout.ms=50000,consumer.heartbeat.interval.ms=6000')
    const changed = await configs('--describe')
    expect(changed).toMatch(/consumer\.session\.timeout\.ms=50000 .*GROUP_CONFIG:consumer\.session\.timeout\.ms=50000/)
    expect(changed).toMatch(/consumer\.heartbeat\.interval\.ms=6000/)
    const wrong = await tryKafkaTool('kafka-configs', [...args, '--alter', '--add-config', 'consumer.session.timeout.ms=70000'])
    expect(wrong.exitCode).not.toBe(0)
    expect(wrong.stdout + wrong.stderr).toMatch(/InvalidConfigurationException.*group\.consumer\.max\.session\.timeout\.ms/)
    const all = ['--bootstrap-server', broker.bootstrapServers, '--entity-type', 'groups', '--describe']
    expect(await kafkaTool('kafka-configs', all)).toContain(`Dynamic configs for group ${group} are:`)
    await configs('--alter', '--delete-config', 'consumer.session.timeout.ms')
    const left = await configs('--describe')
    expect(left).not.toContain('consumer.session.timeout.ms')
    expect(left).toContain('consumer.heartbeat.interval.ms=6000')
    expect(await configs('--describe', '--all')).toMatch(/consumer\.session\.timeout\.ms=45000/)
  })

  test('kafka-configs changes a topic and a broker, and refuses nonsense', async () => {
    const topic = uniqueName('configured')
    await topics('--create', '--topic', topic)
    const configs = (...args: string[]): Promise<string> =>
      kafkaTool('kafka-configs', [
        '--bootstrap-server',
        broker.bootstrapServers,
        '--entity-type',
        'topics',
        '--entity-name',
        topic,
        ...args,
      ])
    await configs('--alter', '--add-config', 'max.message.bytes=2000,retention.ms=7200000')
    const described = await configs('--describe')
    expect(described).toContain('max.message.bytes=2000')
    expect(described).toContain('retention.ms=7200000')
    await configs('--alter', '--delete-config', 'max.message.bytes')
    expect(await configs('--describe')).not.toContain('max.message.bytes')
    const wrong = await tryKafkaTool('kafka-configs', [
      '--bootstrap-server',
      broker.bootstrapServers,
      '--entity-type',
      'topics',
      '--entity-name',
      topic,
      '--alter',
      '--add-config',
      'retention.ms=soon',
    ])
    expect(wrong.stdout + wrong.stderr).toContain('InvalidConfigurationException')
  })

  test('kafka-get-offsets and kafka-delete-records agree about the ends of the log', async () => {
    const topic = uniqueName('ends')
    await topics('--create', '--topic', topic)
    const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`)
    await kafkaTool('kafka-console-producer', ['--bootstrap-server', broker.bootstrapServers, '--topic', topic], {
      input: `${lines.join('\n')}\n`,
    })
    const offsets = (time: string): Promise<string> =>
      kafkaTool('kafka-get-offsets', ['--bootstrap-server', broker.bootstrapServers, '--topic', topic, '--time', time])
    expect(await offsets('latest')).toBe(`${topic}:0:20\n`)
    expect(await offsets('earliest')).toBe(`${topic}:0:0\n`)
    const plan = join(mkdtempSync(join(tmpdir(), 'millrace-plan-')), 'plan.json')
    onTestFinished(() => rmSync(dirname(plan), { recursive: true }))
    writeFileSync(plan, JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, offset: 7 }] }))
    const deleted = await kafkaTool('kafka-delete-records', [
      '--bootstrap-server',
      broker.bootstrapServers,
      '--offset-json-file',
      plan,
    ])
    expect(deleted).toContain('low_watermark: 7')
    expect(await offsets('earliest')).toBe(`${topic}:0:7\n`)
  })
})
