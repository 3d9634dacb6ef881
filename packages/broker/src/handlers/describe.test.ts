import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import { describeClusterApi } from '@millrace/protocol/apis/describe-cluster'
import {
  describeTopicPartitionsApi,
  type DescribeTopicPartitionsRequest,
  type DescribeTopicPartitionsResponse,
} from '@millrace/protocol/apis/describe-topic-partitions'
import { describe, expect, test } from 'vitest'
import { startBroker } from '../../test/core-fixtures.ts'

describe('DescribeCluster', () => {
  test.each([0, 1, 2])('v%i', (version) => {
    const { client, core } = startBroker()
    core.advertise({ host: 'broker.test', port: 4711 })
    const reply = client.ask(describeClusterApi, version, {
      includeClusterAuthorizedOperations: true,
      endpointType: 1,
      includeFencedBrokers: false,
    })
    expect(reply).toMatchObject({
      errorCode: 0,
      clusterId: core.services.clusterId,
      controllerId: 1,
      clusterAuthorizedOperations: 8096,
    })
    expect(reply.brokers).toEqual([{ brokerId: 1, host: 'broker.test', port: 4711, rack: null, isFenced: false }])
  })

  test('there is no controller endpoint', () => {
    const { client } = startBroker()
    const ask = (endpointType: number): unknown =>
      client.ask(describeClusterApi, 1, { includeClusterAuthorizedOperations: false, endpointType, includeFencedBrokers: false })
    expect(ask(2)).toMatchObject({ errorCode: ErrorCode.MISMATCHED_ENDPOINT_TYPE, brokers: [] })
    expect(ask(3)).toMatchObject({ errorCode: ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, brokers: [] })
  })
})

describe('DescribeTopicPartitions', () => {
  const request = (overrides: Partial<DescribeTopicPartitionsRequest>): DescribeTopicPartitionsRequest => {
    return { topics: [], responsePartitionLimit: 2000, cursor: null, ...overrides }
  }

  test('topics in order of name, unknown ones with their error', () => {
    const { client, createTopic } = startBroker()
    const id = createTopic('orders', 2)
    const reply = client.ask(describeTopicPartitionsApi, 0, request({ topics: ['z', 'orders', 'a b'].map((name) => ({ name })) }))
    expect(reply.nextCursor).toBeNull()
    expect(reply.topics).toMatchObject([
      { name: 'a b', errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION },
      {
        name: 'orders',
        errorCode: 0,
        topicId: id,
        partitions: [{ partitionIndex: 0, leaderId: 1, isrNodes: [1] }, { partitionIndex: 1 }],
      },
      { name: 'z', errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, topicId: ZERO_UUID },
    ])
  })

  test('a cursor must name a topic that was asked for, and a partition', () => {
    const { client, createTopic } = startBroker()
    createTopic('a', 2)
    const topics = [{ name: 'a' }]
    for (const cursor of [
      { topicName: 'b', partitionIndex: 0 },
      { topicName: 'a', partitionIndex: -1 },
    ]) {
      const reply = client.ask(describeTopicPartitionsApi, 0, request({ topics, cursor }))
      expect(reply).toMatchObject({
        topics: [{ name: 'a', errorCode: ErrorCode.INVALID_REQUEST, partitions: [] }],
        nextCursor: null,
      })
    }
    // Of all topics, the one at the cursor may have gone since.
    const all = client.ask(describeTopicPartitionsApi, 0, request({ cursor: { topicName: '0', partitionIndex: 1 } }))
    expect(all.topics[0]!.partitions).toHaveLength(2)
  })

  test('pages through everything by cursor, each partition once', () => {
    const { client, createTopic } = startBroker()
    createTopic('a', 5)
    createTopic('b', 1)
    createTopic('c', 4)
    const seen: string[] = []
    const pages: number[] = []
    let cursor: DescribeTopicPartitionsRequest['cursor'] = null
    do {
      const reply: DescribeTopicPartitionsResponse = client.ask(
        describeTopicPartitionsApi,
        0,
        request({ responsePartitionLimit: 3, cursor }),
      )
      const page = reply.topics.flatMap(({ name, partitions }) =>
        partitions.map(({ partitionIndex }) => `${name}-${partitionIndex}`),
      )
      seen.push(...page)
      pages.push(page.length)
      cursor = reply.nextCursor
    } while (cursor !== null)
    expect(seen).toEqual(['a-0', 'a-1', 'a-2', 'a-3', 'a-4', 'b-0', 'c-0', 'c-1', 'c-2', 'c-3'])
    expect(pages).toEqual([3, 3, 3, 1])
  })
})
