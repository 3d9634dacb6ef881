import { describe, expect, test } from 'vitest'
import { uniqueName, type SuiteBroker } from '../suite.ts'
import { Clients, until } from './clients.ts'

export function administration(broker: SuiteBroker): void {
  describe('administration', () => {
    test('topics are created, described, extended, listed and deleted', async () => {
      const clients = new Clients(broker)
      const { admin } = clients
      const name = clients.topicName('lifecycle')
      const created = (await admin.createTopics([{ name, numPartitions: 2, configs: { 'retention.ms': '7200000' } }])).get(name)
      expect(created).toMatchObject({ name, numPartitions: 2, replicationFactor: 1 })
      expect(created.topicId).toMatch(/^[\w-]{22}$/)
      expect(created.configs?.get('retention.ms')).toBe('7200000')
      await clients.untilLed(name, 2)
      const described = (await admin.describeTopics([name])).get(name)
      expect(described.topicId).toBe(created.topicId)
      expect(described.partitions.map((partition) => partition.partition)).toEqual([0, 1])
      for (const partition of described.partitions) expect(partition.isr).toEqual(partition.replicas)
      await admin.createPartitions([{ topic: name, totalCount: 4 }])
      await clients.untilLed(name, 4)
      expect((await admin.listTopics()).map((listed) => listed.name)).toContain(name)
      await admin.deleteTopics([name])
      await until(async () => !(await admin.listTopics()).some((listed) => listed.name === name), 'the topic to be gone')
    })

    test('one bad item does not hide what became of the others', async () => {
      const clients = new Clients(broker)
      const [good, bad] = [clients.topicName('good'), 'not a name']
      const results = await clients.admin.createTopics(
        [
          { name: good, numPartitions: 1 },
          { name: bad, numPartitions: 1 },
        ],
        { throwOnFailure: false },
      )
      expect(results.get(good).name).toBe(good)
      expect(results.error(bad)?.code).toBe('INVALID_TOPIC_EXCEPTION')
      await expect(clients.admin.createTopics([{ name: good }])).rejects.toMatchObject({ code: 'TOPIC_ALREADY_EXISTS' })
      await expect(clients.admin.deleteTopics([uniqueName('absent')])).rejects.toMatchObject({
        code: 'UNKNOWN_TOPIC_OR_PARTITION',
      })
      await expect(clients.admin.createPartitions([{ topic: good, totalCount: 1 }])).rejects.toMatchObject({
        code: 'INVALID_PARTITIONS',
      })
    })

    test('validateOnly changes nothing', async () => {
      const clients = new Clients(broker)
      const name = clients.topicName('imagined')
      await clients.admin.createTopics([{ name, numPartitions: 1 }], { validateOnly: true })
      expect((await clients.admin.listTopics()).map((listed) => listed.name)).not.toContain(name)
    })

    test('configs are read, changed, taken back and checked', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1)
      const resource = { type: 'topic', name: topic } as const
      const config = async (name: string): Promise<{ value: string | null; source: string } | undefined> => {
        const entry = (await clients.admin.describeConfigs([resource])).get(`topic:${topic}`).get(name)
        return entry === undefined ? undefined : { value: entry.value, source: entry.source }
      }
      expect(await config('max.message.bytes')).toEqual({ value: '1048588', source: 'default' })
      await clients.admin.incrementalAlterConfigs([{ ...resource, ops: [{ name: 'max.message.bytes', value: '5000' }] }])
      await until(async () => (await config('max.message.bytes'))?.value === '5000', 'the changed config')
      expect((await config('max.message.bytes'))?.source).toBe('dynamicTopic')
      await clients.admin.incrementalAlterConfigs([{ ...resource, ops: [{ name: 'max.message.bytes', op: 'delete' }] }])
      await until(async () => (await config('max.message.bytes'))?.source === 'default', 'the config to be taken back')
      const wrong = clients.admin.incrementalAlterConfigs([{ ...resource, ops: [{ name: 'retention.ms', value: 'soon' }] }])
      await expect(wrong).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    })

    test('offsets are found by place and by time, and records deleted up to one', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1)
      const producer = clients.producer()
      const base = Date.now() - 60_000
      for (const [index, delta] of [0, 1_000, 5_000, 3_000].entries()) {
        await producer.send({ topic, value: `${index}`, timestamp: base + delta })
      }
      const offset = async (spec: 'earliest' | 'latest' | 'maxTimestamp' | { timestamp: number }): Promise<number> =>
        (await clients.admin.listOffsets([{ topic, partition: 0, spec }])).get(`${topic}-0`).offset
      expect(await offset('earliest')).toBe(0)
      expect(await offset('latest')).toBe(4)
      expect(await offset('maxTimestamp')).toBe(2)
      expect(await offset({ timestamp: base + 500 })).toBe(1)
      expect(await offset({ timestamp: base + 50_000 })).toBe(-1)
      const deleted = await clients.admin.deleteRecords([{ topic, partition: 0, beforeOffset: 3 }])
      expect(deleted.get(`${topic}-0`).lowWatermark).toBe(3)
      expect(await offset('earliest')).toBe(3)
      const beyond = clients.admin.deleteRecords([{ topic, partition: 0, beforeOffset: 99 }])
      await expect(beyond).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
    })

    test('the cluster names its brokers and its controller', async () => {
      const cluster = await new Clients(broker).admin.describeCluster()
      expect(cluster.clusterId.length).toBeGreaterThan(0)
      expect(cluster.nodes.length).toBeGreaterThan(0)
      expect(cluster.nodes.map((node) => node.id)).toContain(cluster.controller?.id)
    })
  })
}
