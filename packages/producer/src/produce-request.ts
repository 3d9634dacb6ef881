import { ZERO_UUID } from '@millrace/protocol'
import type { PartitionProduceData, ProduceRequest, TopicProduceData } from '@millrace/protocol/apis/produce'
import type { TopicQueues } from './partition-queue.ts'
import type { ProducerBatch } from './producer-batch.ts'

/** The request that carries `batches`, which are sealed; their bytes go into the frame as they are. */
export function produceRequestOf(batches: readonly ProducerBatch[], acks: number, timeoutMs: number): ProduceRequest {
  const topicData: TopicProduceData[] = []
  const byTopic = new Map<TopicQueues, PartitionProduceData[]>()
  for (const batch of batches) {
    const { topic, partition } = batch.queue
    let partitionData = byTopic.get(topic)
    if (partitionData === undefined) {
      partitionData = []
      byTopic.set(topic, partitionData)
      topicData.push({ name: topic.name, topicId: topic.topicId, partitionData })
    }
    partitionData.push({ index: partition, records: batch.seal() })
  }
  return { transactionalId: null, acks, timeoutMs, topicData }
}

/** Whether the request can name its topics by id alone, as Produce v13 does (KIP-516). */
export function hasTopicIds(request: ProduceRequest): boolean {
  return request.topicData.every((topic) => topic.topicId !== ZERO_UUID && topic.topicId !== '')
}
