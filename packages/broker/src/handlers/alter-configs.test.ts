import { ErrorCode } from '@millrace/protocol'
import { alterConfigsApi, type AlterableConfig } from '@millrace/protocol/apis/alter-configs'
import { describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'

const [TOPIC, BROKER, GROUP] = [2, 4, 32]
const SESSION = 'consumer.session.timeout.ms'
const HEARTBEAT = 'consumer.heartbeat.interval.ms'

function replace(
  { client }: TestBroker,
  resourceType: number,
  resourceName: string,
  configs: readonly AlterableConfig[],
  { validateOnly = false, version = 2 } = {},
): { errorCode: number; errorMessage: string | null } {
  const resources = [{ resourceType, resourceName, configs: [...configs] }]
  return client.ask(alterConfigsApi, version, { resources, validateOnly }).responses[0]!
}

describe('AlterConfigs', () => {
  test.each([0, 1, 2])('v%i replaces all that was set of a topic, and all that was set of a group', (version) => {
    const broker = startBroker()
    const { image } = broker.core.services
    broker.createTopic('orders', 1, { 'retention.ms': '1000', 'segment.ms': '2000' })
    expect(replace(broker, TOPIC, 'orders', [{ name: 'segment.ms', value: '3000' }], { version }).errorCode).toBe(0)
    expect([...image.topicConfigs('orders')]).toEqual([['segment.ms', '3000']])
    expect(broker.core.services.topics.byName('orders')!.config.retentionMs).toBe(604_800_000)
    const configs = [
      { name: SESSION, value: '50000' },
      { name: HEARTBEAT, value: '6000' },
    ]
    expect(replace(broker, GROUP, 'g', configs, { version }).errorCode).toBe(0)
    expect(replace(broker, GROUP, 'g', [{ name: HEARTBEAT, value: '7000' }], { version }).errorCode).toBe(0)
    expect([...image.groupConfigs('g')]).toEqual([[HEARTBEAT, '7000']])
    expect(replace(broker, GROUP, 'g', [], { version }).errorCode).toBe(0)
    expect(image.groupConfigs('g').size).toBe(0)
  })

  const refusals: [string, number, string, AlterableConfig[], keyof typeof ErrorCode, RegExp][] = [
    [
      'a null value',
      TOPIC,
      'orders',
      [{ name: 'segment.ms', value: null }],
      'INVALID_REQUEST',
      /Null value not supported for : segment\.ms/,
    ],
    [
      'an unknown name',
      TOPIC,
      'orders',
      [{ name: 'colour', value: 'red' }],
      'INVALID_CONFIG',
      /Unknown topic config name: colour/,
    ],
    ['a group out of bounds', GROUP, 'g', [{ name: SESSION, value: '70000' }], 'INVALID_CONFIG', /group\.consumer\.max\.session/],
    ['an unknown topic', TOPIC, 'missing', [], 'UNKNOWN_TOPIC_OR_PARTITION', /'missing' does not exist/],
    ['the broker', BROKER, '1', [{ name: 'num.partitions', value: '3' }], 'INVALID_REQUEST', /fixed when the broker starts/],
    ['another type', 16, 'm', [], 'INVALID_REQUEST', /Unsupported resource type: 16/],
    [
      'a name twice',
      TOPIC,
      'orders',
      [
        { name: 'segment.ms', value: '1' },
        { name: 'segment.ms', value: '2' },
      ],
      'INVALID_REQUEST',
      /duplicate config keys: segment\.ms/,
    ],
  ]
  test.each(refusals)('%s is refused and changes nothing', (_, type, name, configs, code, message) => {
    const broker = startBroker()
    broker.createTopic('orders', 1, { 'retention.ms': '1000' })
    expect(replace(broker, type, name, configs)).toMatchObject({
      errorCode: ErrorCode[code],
      errorMessage: expect.stringMatching(message) as string,
    })
    expect([...broker.core.services.image.topicConfigs('orders')]).toEqual([['retention.ms', '1000']])
  })

  test('validateOnly changes nothing', () => {
    const broker = startBroker()
    broker.createTopic('orders', 1, { 'retention.ms': '1000' })
    expect(replace(broker, TOPIC, 'orders', [], { validateOnly: true }).errorCode).toBe(0)
    expect(broker.core.services.image.topicConfigs('orders').size).toBe(1)
  })
})
