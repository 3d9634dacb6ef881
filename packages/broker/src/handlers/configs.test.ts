import { ErrorCode } from '@millrace/protocol'
import { describeConfigsApi, type DescribeConfigsResult } from '@millrace/protocol/apis/describe-configs'
import { findCoordinatorApi } from '@millrace/protocol/apis/find-coordinator'
import { incrementalAlterConfigsApi, type AlterableConfig } from '@millrace/protocol/apis/incremental-alter-configs'
import { describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { batchOf } from '../../test/log-fixtures.ts'
import { produce } from '../../test/requests.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'

const TOPIC = 2
const BROKER = 4
const [SET, DELETE, APPEND, SUBTRACT] = [0, 1, 2, 3]

function shown(broker: TestBroker, type: number, name: string, keys: string[] | null = null, version = 4): DescribeConfigsResult {
  const resources = [{ resourceType: type, resourceName: name, configurationKeys: keys }]
  return broker.client.ask(describeConfigsApi, version, { resources, includeSynonyms: true, includeDocumentation: version >= 3 })
    .results[0]!
}

function alter(
  broker: TestBroker,
  name: string,
  configs: AlterableConfig[],
  validateOnly = false,
  type = TOPIC,
): { errorCode: number; errorMessage: string | null } {
  const resources = [{ resourceType: type, resourceName: name, configs }]
  return broker.client.ask(incrementalAlterConfigsApi, 1, { resources, validateOnly }).responses[0]!
}

const set = (name: string, value: string | null, configOperation = SET): AlterableConfig => ({
  name,
  configOperation: configOperation,
  value,
})

describe('DescribeConfigs', () => {
  test.each([1, 2, 3, 4])('v%i shows a topic with sources and synonyms', (version) => {
    const broker = startBroker({}, { 'log.retention.ms': 5000 })
    broker.createTopic('orders', 1, { 'retention.ms': '1000' })
    const { errorCode, configs } = shown(broker, TOPIC, 'orders', ['retention.ms', 'segment.ms'], version)
    expect(errorCode).toBe(0)
    expect(configs).toHaveLength(2)
    expect(configs[0]).toMatchObject({
      name: 'retention.ms',
      value: '1000',
      readOnly: false,
      configSource: 1,
      isSensitive: false,
    })
    expect(configs[0]!.synonyms).toEqual([
      { name: 'retention.ms', value: '1000', source: 1 },
      { name: 'log.retention.ms', value: '5000', source: 4 },
      { name: 'log.retention.ms', value: '604800000', source: 5 },
    ])
    expect(configs[1]).toMatchObject({ name: 'segment.ms', value: '604800000', configSource: 5 })
    const { configType, documentation } = configs[0]!
    expect([configType, documentation?.slice(0, 8)]).toEqual(version >= 3 ? [5, 'Allowed:'] : [0, ''])
  })

  test('shows all of Kafka 4.4 when no names are given, or none', () => {
    const broker = startBroker()
    broker.createTopic('orders')
    expect(shown(broker, TOPIC, 'orders').configs).toHaveLength(31)
    expect(shown(broker, TOPIC, 'orders', []).configs).toHaveLength(31)
  })

  test('shows this broker, whose settings cannot be altered', () => {
    const broker = startBroker({}, { 'num.partitions': 7 })
    const { configs } = shown(broker, BROKER, '1', ['num.partitions', 'auto.create.topics.enable'])
    expect(configs).toMatchObject([
      { name: 'auto.create.topics.enable', value: 'true', readOnly: true, configSource: 5, configType: 1 },
      { name: 'num.partitions', value: '7', readOnly: true, configSource: 4, configType: 3 },
    ])
    expect(shown(broker, BROKER, '').configs).toEqual([])
  })

  test('refusals', () => {
    const broker = startBroker()
    expect(shown(broker, TOPIC, 'missing')).toMatchObject({ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, configs: [] })
    expect(shown(broker, TOPIC, 'a b')).toMatchObject({ errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION })
    expect(shown(broker, BROKER, '2')).toMatchObject({
      errorCode: ErrorCode.INVALID_REQUEST,
      errorMessage: expect.stringMatching(/expected 1, but received 2/),
    })
    expect(shown(broker, 8, '1')).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST })
  })
})

describe('IncrementalAlterConfigs', () => {
  test('a changed value is in force at once, and after a restart', () => {
    const storage = new MemoryStorage()
    const broker = startBroker({ storage })
    broker.createTopic('orders')
    expect(produce(broker, 'orders', batchOf(['x'.repeat(500)])).errorCode).toBe(0)
    expect(alter(broker, 'orders', [set('max.message.bytes', ' 100 ')])).toMatchObject({ errorCode: 0, errorMessage: null })
    expect(produce(broker, 'orders', batchOf(['x'.repeat(500)])).errorCode).toBe(ErrorCode.MESSAGE_TOO_LARGE)
    broker.core.close()
    const after = startBroker({ storage })
    expect(produce(after, 'orders', batchOf(['x'.repeat(500)])).errorCode).toBe(ErrorCode.MESSAGE_TOO_LARGE)
    expect(shown(after, TOPIC, 'orders', ['max.message.bytes']).configs[0]).toMatchObject({ value: '100', configSource: 1 })
    expect(alter(after, 'orders', [set('max.message.bytes', null, DELETE)]).errorCode).toBe(0)
    expect(produce(after, 'orders', batchOf(['x'.repeat(500)])).errorCode).toBe(0)
    expect(shown(after, TOPIC, 'orders', ['max.message.bytes']).configs[0]).toMatchObject({ configSource: 5 })
  })

  const refusals: [string, AlterableConfig[], keyof typeof ErrorCode, RegExp][] = [
    ['an unknown name', [set('colour', 'red')], 'INVALID_CONFIG', /Unknown topic config name: colour/],
    ['a bad value', [set('segment.bytes', '12')], 'INVALID_CONFIG', /Invalid value 12 for configuration segment\.bytes/],
    ['what is not honoured', [set('min.cleanable.dirty.ratio', '0.1')], 'INVALID_CONFIG', /not supported by this broker/],
    ['a null value', [set('retention.ms', null)], 'INVALID_REQUEST', /Null value not supported/],
    [
      'appending to a number',
      [set('retention.ms', '1', APPEND)],
      'INVALID_CONFIG',
      /Can't APPEND to key retention\.ms because its type is not LIST/,
    ],
    ['compaction by APPEND', [set('cleanup.policy', 'compact', APPEND)], 'INVALID_CONFIG', /delete,compact.*not supported/],
    ['no policy by SUBTRACT', [set('cleanup.policy', 'delete', SUBTRACT)], 'INVALID_CONFIG', /not supported/],
    ['an unknown operation', [set('retention.ms', '1', 9)], 'INVALID_REQUEST', /Unknown operation 9/],
    [
      'a name twice',
      [set('retention.ms', '1'), set('retention.ms', '2')],
      'INVALID_REQUEST',
      /duplicate config keys: retention\.ms/,
    ],
    ['one bad of two', [set('retention.ms', '1'), set('colour', 'red')], 'INVALID_CONFIG', /colour/],
  ]
  test.each(refusals)('%s is refused and changes nothing', (_, configs, code, message) => {
    const broker = startBroker()
    broker.createTopic('orders')
    const before = broker.core.services.topics.byName('orders')!.config
    expect(alter(broker, 'orders', configs)).toMatchObject({
      errorCode: ErrorCode[code],
      errorMessage: expect.stringMatching(message),
    })
    expect(broker.core.services.topics.byName('orders')!.config).toBe(before)
  })

  test('deleting what is not set changes nothing, whatever its name', () => {
    const broker = startBroker()
    broker.createTopic('orders', 1, { 'retention.ms': '1000' })
    const configs = [set('colour', null, DELETE), set('segment.ms', null, DELETE)]
    expect(alter(broker, 'orders', configs)).toMatchObject({ errorCode: 0, errorMessage: null })
    expect([...broker.core.services.image.topicConfigs('orders')]).toEqual([['retention.ms', '1000']])
  })

  test('a name that no topic can have', () => {
    const broker = startBroker()
    expect(alter(broker, 'a b', [set('retention.ms', '1')]).errorCode).toBe(ErrorCode.INVALID_TOPIC_EXCEPTION)
    expect(alter(broker, '', [set('retention.ms', '1')]).errorCode).toBe(ErrorCode.INVALID_REQUEST)
  })

  test('a resource twice is refused both times, and many resources are no long work', () => {
    const broker = startBroker()
    broker.createTopic('orders')
    const resource = { resourceType: TOPIC, resourceName: 'orders', configs: [set('retention.ms', '1')] }
    const others = Array.from({ length: 100_000 }, (_, index) => ({ ...resource, resourceName: `missing-${index}` }))
    const resources = [resource, ...others, resource]
    const { responses } = broker.client.ask(incrementalAlterConfigsApi, 1, { resources, validateOnly: false })
    expect([responses[0]!.errorCode, responses.at(-1)!.errorCode]).toEqual([42, 42])
    expect(responses[1]!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  })

  test('what is there already may be appended', () => {
    const broker = startBroker()
    broker.createTopic('orders')
    expect(alter(broker, 'orders', [set('cleanup.policy', 'delete', APPEND)]).errorCode).toBe(0)
  })

  test('validateOnly checks and changes nothing', () => {
    const broker = startBroker()
    broker.createTopic('orders')
    expect(alter(broker, 'orders', [set('retention.ms', '1')], true).errorCode).toBe(0)
    expect(alter(broker, 'orders', [set('retention.ms', '-9')], true).errorCode).toBe(ErrorCode.INVALID_CONFIG)
    expect(broker.core.services.topics.byName('orders')!.config.retentionMs).toBe(604_800_000)
  })

  test('an unknown topic, the offsets topic, the broker and other resources are refused', () => {
    const broker = startBroker()
    broker.client.ask(findCoordinatorApi, 0, { key: 'g', keyType: 0, coordinatorKeys: [] })
    const change = [set('retention.ms', '1')]
    expect(alter(broker, 'missing', change).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    expect(alter(broker, '__consumer_offsets', change).errorCode).toBe(ErrorCode.POLICY_VIOLATION)
    expect(alter(broker, '1', [set('num.partitions', '3')], false, BROKER).errorCode).toBe(ErrorCode.INVALID_REQUEST)
    expect(alter(broker, 'metrics', change, false, 16).errorCode).toBe(ErrorCode.INVALID_REQUEST)
  })

  test('a resource that is named twice is refused', () => {
    const broker = startBroker()
    broker.createTopic('orders')
    const resource = { resourceType: TOPIC, resourceName: 'orders', configs: [set('retention.ms', '1')] }
    const reply = broker.client.ask(incrementalAlterConfigsApi, 0, { resources: [resource, resource], validateOnly: false })
    expect(reply.responses.map(({ errorCode }) => errorCode)).toEqual([ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_REQUEST])
  })
})
