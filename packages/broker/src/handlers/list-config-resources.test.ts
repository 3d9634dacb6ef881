import { ErrorCode } from '@millrace/protocol'
import { incrementalAlterConfigsApi } from '@millrace/protocol/apis/incremental-alter-configs'
import { listConfigResourcesApi } from '@millrace/protocol/apis/list-config-resources'
import { expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'

const [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP] = [2, 4, 8, 16, 32]

function listed({ client }: TestBroker, resourceTypes: number[], version = 1) {
  const { errorCode, configResources } = client.ask(listConfigResourcesApi, version, { resourceTypes })
  return [errorCode, configResources.map(({ resourceType, resourceName }) => `${resourceType}:${resourceName}`)]
}

function setHeartbeat({ client }: TestBroker, group: string, value: string | null): void {
  const configs = [{ name: 'consumer.heartbeat.interval.ms', configOperation: value === null ? 1 : 0, value }]
  const resources = [{ resourceType: GROUP, resourceName: group, configs }]
  expect(client.ask(incrementalAlterConfigsApi, 1, { resources, validateOnly: false }).responses[0]!.errorCode).toBe(0)
}

test('topics, the broker and the groups that have a configuration of their own are listed, all or by type', () => {
  const broker = startBroker()
  broker.createTopic('orders')
  setHeartbeat(broker, 'slow', '9000')
  setHeartbeat(broker, 'usual', '9000')
  setHeartbeat(broker, 'usual', null)
  expect(listed(broker, [])).toEqual([0, ['2:orders', '4:1', '32:slow']])
  expect(listed(broker, [GROUP])).toEqual([0, ['32:slow']])
  expect(listed(broker, [BROKER, TOPIC, BROKER])).toEqual([0, ['4:1', '2:orders']])
  expect(listed(broker, [BROKER_LOGGER, CLIENT_METRICS])).toEqual([0, []])
  expect(listed(broker, [GROUP, 3])).toEqual([ErrorCode.UNSUPPORTED_VERSION, []])
  // All that v0 knows of is client metrics.
  expect(listed(broker, [], 0)).toEqual([0, []])
})
