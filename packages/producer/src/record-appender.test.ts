import { expect, test } from 'vitest'
import { Accumulator } from './accumulator.ts'
import { resolveProducerOptions } from './config.ts'
import { PartitionQueue, TopicQueues } from './partition-queue.ts'
import type { ProducerBatch } from './producer-batch.ts'
import { RecordAppender } from './record-appender.ts'
import { StickyPartitioner } from './sticky-partitioner.ts'

const BATCH_SIZE = 1_000

test.each([1, 10, 100, 450, 700, 2_000])(
  'records of %i bytes without a key leave no partition before its batch is full',
  (size) => {
    const config = resolveProducerOptions({ bootstrapServers: 'localhost:9092', batchSize: BATCH_SIZE, bufferMemory: 8_000_000 })
    const accumulator = new Accumulator({ ...config, compress: false })
    const appender = new RecordAppender(config, accumulator, () => {})
    let turn = 0
    const topic = new TopicQueues('t', new StickyPartitioner(BATCH_SIZE, () => (turn++ % 5) / 5, null))
    for (let partition = 0; partition < 5; partition++) {
      const queue = new PartitionQueue(topic, partition)
      queue.leader = 1
      topic.partitions.push(queue)
    }
    const batches = new Set<ProducerBatch>()
    for (let index = 0; index < 2_000; index++) batches.add(appender.append(topic, { value: 'x'.repeat(size) }, 0, 0)!)
    expect([...batches].filter(({ state }) => state === 'open').length).toBeLessThanOrEqual(1)
    expect(new Set([...batches].map(({ queue }) => queue.partition))).toEqual(new Set([0, 1, 2, 3, 4]))
  },
)
