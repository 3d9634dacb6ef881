import { ErrorCode } from '@millrace/protocol'
import { describeConfigsApi, type DescribeConfigsResult } from '@millrace/protocol/apis/describe-configs'
import { incrementalAlterConfigsApi } from '@millrace/protocol/apis/incremental-alter-configs'
import { describe, expect, test } from 'vitest'
import { consumerGroup, ConsumerGroupMember, SESSION_MS } from '../../test/consumer-group-member.ts'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { BROKER_CONFIG_BY_NAME } from '../config/broker-config-definitions.ts'
import { GROUP_CONFIGS } from '../config/group-config-definitions.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'

const GROUP = 32
const SESSION = 'consumer.session.timeout.ms'
const HEARTBEAT = 'consumer.heartbeat.interval.ms'
const ASSIGNMENT = 'consumer.assignment.interval.ms'
const [SET, DELETE, APPEND] = [0, 1, 2]

function shown(broker: TestBroker, configurationKeys: string[] | null = null, resourceName = 'g'): DescribeConfigsResult {
  const resources = [{ resourceType: GROUP, resourceName, configurationKeys }]
  return broker.client.ask(describeConfigsApi, 4, { resources, includeSynonyms: true, includeDocumentation: true }).results[0]!
}

function alter(
  broker: TestBroker,
  changes: Readonly<Record<string, string | null>>,
  { configOperation = SET, validateOnly = false, resourceName = 'g' } = {},
): { errorCode: number; errorMessage: string | null } {
  const configs = Object.entries(changes).map(([name, value]) => {
    return { name, configOperation: value === null && configOperation === SET ? DELETE : configOperation, value }
  })
  const resources = [{ resourceType: GROUP, resourceName, configs }]
  return broker.client.ask(incrementalAlterConfigsApi, 1, { resources, validateOnly }).responses[0]!
}

function set(broker: TestBroker, changes: Readonly<Record<string, string | null>>): void {
  expect(alter(broker, changes)).toMatchObject({ errorCode: 0, errorMessage: null })
}

describe('the configuration of a group', () => {
  test('is what Kafka 4.3.1 shows of one, whether the group is there or not', () => {
    const broker = startBroker({}, { 'group.consumer.heartbeat.interval.ms': 4000 })
    const { errorCode, configs } = shown(broker)
    expect([errorCode, configs.length]).toEqual([0, 17])
    expect(configs.every(({ readOnly, isSensitive }) => !readOnly && !isSensitive)).toBe(true)
    expect(configs.find(({ name }) => name === HEARTBEAT)).toMatchObject({
      value: '4000',
      configSource: 4,
      configType: 3,
      synonyms: [
        { name: 'group.consumer.heartbeat.interval.ms', value: '4000', source: 4 },
        { name: 'group.consumer.heartbeat.interval.ms', value: '5000', source: 5 },
      ],
    })
    expect(configs.find(({ name }) => name === 'share.auto.offset.reset')).toMatchObject({
      value: 'latest',
      configSource: 5,
      synonyms: [{ name: 'share.auto.offset.reset', value: 'latest', source: 5 }],
    })
    expect(shown(broker, null, '')).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST, configs: [] })
  })

  test('has the broker settings as its defaults', () => {
    for (const { brokerSynonym, defaultValue, check } of GROUP_CONFIGS) {
      const known = BROKER_CONFIG_BY_NAME.get(brokerSynonym)
      expect([brokerSynonym, check(defaultValue)]).toEqual([brokerSynonym, null])
      expect([brokerSynonym, known?.defaultValue ?? defaultValue]).toEqual([brokerSynonym, defaultValue])
    }
  })

  test('is in force from the next heartbeat on, for that group alone, and after a restart, until it is deleted', () => {
    const storage = new MemoryStorage()
    const broker = startBroker({ storage })
    broker.createTopic('orders')
    const one = new ConsumerGroupMember(broker.core, 'a')
    const other = new ConsumerGroupMember(broker.core, 'a', undefined, null, 'other')
    expect(one.join().heartbeatIntervalMs).toBe(5000)
    set(broker, { [HEARTBEAT]: ' 6000 ' })
    expect([one.heartbeat().heartbeatIntervalMs, other.join().heartbeatIntervalMs]).toEqual([6000, 5000])
    expect(shown(broker, [HEARTBEAT]).configs).toMatchObject([
      {
        value: '6000',
        configSource: 8,
        synonyms: [
          { name: HEARTBEAT, value: '6000', source: 8 },
          { name: 'group.consumer.heartbeat.interval.ms', value: '5000', source: 5 },
        ],
      },
    ])
    broker.core.close()
    const after = startBroker({ storage })
    const back = new ConsumerGroupMember(after.core, 'a')
    expect(back.join().heartbeatIntervalMs).toBe(6000)
    set(after, { [HEARTBEAT]: null })
    expect(back.heartbeat().heartbeatIntervalMs).toBe(5000)
    expect(shown(after, [HEARTBEAT]).configs[0]).toMatchObject({ configSource: 5 })
  })

  test('says how long a session lasts, also when the broker comes back', () => {
    const storage = new MemoryStorage()
    let broker = startBroker({ storage })
    broker.createTopic('orders')
    set(broker, { [SESSION]: '9000' })
    new ConsumerGroupMember(broker.core, 'a').join()
    broker.clock.advance(8999)
    expect(consumerGroup(broker.core).members.size).toBe(1)
    broker.core.abandon()
    broker = startBroker({ storage })
    broker.clock.advance(8999)
    expect(consumerGroup(broker.core).members.size).toBe(1)
    broker.clock.advance(1)
    expect(consumerGroup(broker.core).members.size).toBe(0)
    set(broker, { [SESSION]: null })
    new ConsumerGroupMember(broker.core, 'b').join()
    broker.clock.advance(SESSION_MS - 1)
    expect(consumerGroup(broker.core).members.size).toBe(1)
  })

  test('says how long a group waits before it is assigned anew', () => {
    const broker = startBroker()
    broker.createTopic('orders', 2)
    set(broker, { [ASSIGNMENT]: '3000' })
    const a = new ConsumerGroupMember(broker.core, 'a')
    a.join()
    a.apply()
    const b = new ConsumerGroupMember(broker.core, 'b')
    b.join()
    a.settle()
    expect(a.assigned[0]!.partitions).toHaveLength(2)
    broker.clock.advance(3000)
    a.settle()
    expect(a.assigned[0]!.partitions).toHaveLength(1)
  })

  const bounds = { 'group.consumer.min.session.timeout.ms': 10_000, 'group.consumer.min.heartbeat.interval.ms': 3000 }
  const refusals: [string, Readonly<Record<string, string>>, RegExp][] = [
    ['an unknown name', { colour: 'red' }, /^Unknown group config name: colour$/],
    ["a topic's name", { 'retention.ms': '1' }, /^Unknown group config name: retention\.ms$/],
    ['no number', { [SESSION]: 'x' }, /^Invalid value x for configuration consumer\.session\.timeout\.ms/],
    ['zero', { [SESSION]: '0' }, /^Invalid value 0 for configuration consumer\.session\.timeout\.ms/],
    [
      'too short a session',
      { [SESSION]: '9999' },
      /session.* must be greater than or equal to group\.consumer\.min\.session\.timeout\.ms/,
    ],
    [
      'too long a session',
      { [SESSION]: '60001' },
      /session.* must be less than or equal to group\.consumer\.max\.session\.timeout\.ms/,
    ],
    [
      'heartbeats too often',
      { [HEARTBEAT]: '2999' },
      /must be greater than or equal to group\.consumer\.min\.heartbeat\.interval\.ms/,
    ],
    [
      'heartbeats too seldom',
      { [HEARTBEAT]: '15001' },
      /must be less than or equal to group\.consumer\.max\.heartbeat\.interval\.ms/,
    ],
    [
      'too long a wait',
      { [ASSIGNMENT]: '15001' },
      /must be less than or equal to group\.consumer\.max\.assignment\.interval\.ms/,
    ],
    [
      'a session of one heartbeat',
      { [SESSION]: '10000', [HEARTBEAT]: '10000' },
      /^consumer\.session\.timeout\.ms must be greater than consumer\.heartbeat\.interval\.ms$/,
    ],
    ['what is not honoured', { 'share.session.timeout.ms': '50000' }, /not supported by this broker/],
    ['one bad of two', { [SESSION]: '20000', colour: 'red' }, /colour/],
  ]
  test.each(refusals)('%s is refused and changes nothing', (_, changes, message) => {
    const broker = startBroker({}, bounds)
    const refused = { errorCode: ErrorCode.INVALID_CONFIG, errorMessage: expect.stringMatching(message) as string }
    expect(alter(broker, changes)).toMatchObject(refused)
    expect(alter(broker, changes, { validateOnly: true })).toMatchObject(refused)
    expect(broker.core.services.image.groupConfigs('g').size).toBe(0)
  })

  test('no group, appending to a number, and a second time are refused; validateOnly changes nothing', () => {
    const broker = startBroker()
    const change = { [SESSION]: '50000' }
    expect(alter(broker, change, { resourceName: '' })).toMatchObject({ errorCode: ErrorCode.INVALID_REQUEST })
    expect(alter(broker, change, { configOperation: APPEND })).toMatchObject({
      errorCode: ErrorCode.INVALID_CONFIG,
      errorMessage: expect.stringMatching(/Can't APPEND to key consumer\.session\.timeout\.ms/) as string,
    })
    expect(alter(broker, change, { validateOnly: true }).errorCode).toBe(0)
    expect(alter(broker, { colour: null }).errorCode).toBe(0)
    expect(broker.core.services.image.groupConfigs('g').size).toBe(0)
  })

  test("counts as the nearest that is allowed when the broker's bounds are others than they were", () => {
    const storage = new MemoryStorage()
    const broker = startBroker({ storage })
    broker.createTopic('orders')
    set(broker, { [HEARTBEAT]: '6000' })
    broker.core.close()
    const after = startBroker({ storage }, { 'group.consumer.max.heartbeat.interval.ms': 5500 })
    expect(new ConsumerGroupMember(after.core, 'a').join().heartbeatIntervalMs).toBe(5500)
  })
})
