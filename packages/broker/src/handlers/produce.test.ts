import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import { fetchApi, type FetchRequest } from '@millrace/protocol/apis/fetch'
import { produceApi, type PartitionProduceResponse, type ProduceRequest } from '@millrace/protocol/apis/produce'
import { describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { batchOf, NOW, recordsIn } from '../../test/log-fixtures.ts'

function produceRequest(topic: string, records: Buffer | null, overrides: Partial<ProduceRequest> = {}): ProduceRequest {
  const isId = topic.length === 22
  const topicData = [{ name: isId ? '' : topic, topicId: isId ? topic : ZERO_UUID, partitionData: [{ index: 0, records }] }]
  return { transactionalId: null, acks: -1, timeoutMs: 1000, topicData, ...overrides }
}

function produce(broker: TestBroker, topic: string, records: Buffer | null, version = 12): PartitionProduceResponse {
  return broker.client.ask(produceApi, version, produceRequest(topic, records)).responses[0]!.partitionResponses[0]!
}

test('appends and tells where', () => {
  const broker = startBroker()
  const id = broker.createTopic('orders')
  expect(produce(broker, 'orders', batchOf(['a', 'b']))).toMatchObject({ errorCode: 0, baseOffset: 0n, logAppendTimeMs: -1n, logStartOffset: 0n })
  expect(produce(broker, id, batchOf(['c']), 13)).toMatchObject({ errorCode: 0, baseOffset: 2n })
})
