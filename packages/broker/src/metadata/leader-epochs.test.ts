import { ZERO_UUID } from '@millrace/protocol'
import { metadataApi } from '@millrace/protocol/apis/metadata'
import { describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'

const askNothing = {
  topics: [],
  allowAutoTopicCreation: false,
  includeClusterAuthorizedOperations: false,
  includeTopicAuthorizedOperations: false,
}

describe('leader epochs', () => {
  const epochOf = ({ client }: TestBroker): number => {
    const topics = [{ name: 'orders', topicId: ZERO_UUID }]
    return client.ask(metadataApi, 12, { ...askNothing, topics }).topics[0]!.partitions[0]!.leaderEpoch
  }

  test('go up when the last run did not end well, and are remembered', () => {
    const storage = new MemoryStorage()
    const epochs: number[] = []
    for (const end of ['close', 'abandon', 'close', 'abandon', 'abandon', 'close'] as const) {
      const broker = startBroker({ storage })
      if (epochs.length === 0) broker.createTopic('orders')
      epochs.push(epochOf(broker))
      expect(broker.core.services.topics.partition('orders', 0)!.log.leaderEpoch).toBe(epochs.at(-1))
      broker.core[end]()
    }
    expect(epochs).toEqual([0, 0, 1, 1, 2, 3])
  })
})
