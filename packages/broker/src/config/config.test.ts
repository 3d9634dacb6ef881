import { ConfigError } from '@millrace/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BROKER_CONFIGS } from './broker-config-definitions.ts'
import { parseBrokerConfig } from './broker-config.ts'
import { toNumber } from './config-types.ts'
import { TOPIC_CONFIGS } from './topic-config-definitions.ts'
import { checkTopicConfig, resolveTopicConfig } from './topic-config.ts'

test('every default is allowed by its own definition', () => {
  for (const { name, defaultValue, check } of [...TOPIC_CONFIGS, ...BROKER_CONFIGS])
    expect([name, check(defaultValue)]).toEqual([name, null])
})

test('every topic setting has its broker-wide default among the broker settings', () => {
  const names = new Set(BROKER_CONFIGS.map(({ name }) => name))
  for (const { name, brokerSynonym } of TOPIC_CONFIGS) {
    expect([name, names.has(brokerSynonym)]).toEqual([name, !name.endsWith('.throttled.replicas')])
  }
})

test('Kafka’s defaults', () => {
  expect(resolveTopicConfig(new Map(), new Map())).toEqual({
    retentionMs: 604_800_000,
    retentionBytes: -1,
    segmentBytes: 1_073_741_824,
    segmentMs: 604_800_000,
    indexIntervalBytes: 4096,
    segmentIndexBytes: 10_485_760,
    maxMessageBytes: 1_048_588,
    messageTimestampType: 'CreateTime',
    messageTimestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
    messageTimestampAfterMaxMs: 3_600_000,
    minInsyncReplicas: 1,
  })
  expect(parseBrokerConfig({})).toMatchObject({
    autoCreateTopics: true,
    numPartitions: 1,
    fetchMaxBytes: 57_671_680,
    groupInitialRebalanceDelayMs: 0,
    groupMinSessionTimeoutMs: 6000,
    groupMaxSessionTimeoutMs: 1_800_000,
    offsetsRetentionMs: 7 * 24 * 60 * 60 * 1000,
    offsetMetadataMaxBytes: 4096,
    offsetsTopicPartitions: 50,
  })
})

test('a topic’s own value goes before the broker’s, that before the default', () => {
  const broker = parseBrokerConfig({ 'log.retention.ms': 5000, 'log.message.timestamp.type': 'LogAppendTime' }).given
  expect(resolveTopicConfig(new Map(), broker)).toMatchObject({ retentionMs: 5000, messageTimestampType: 'LogAppendTime' })
  expect(resolveTopicConfig(new Map([['retention.ms', '7']]), broker)).toMatchObject({ retentionMs: 7 })
})

describe('numbers', () => {
  test('past what JavaScript counts exactly mean "for ever"', () => {
    expect(toNumber('9223372036854775807')).toBe(Number.MAX_SAFE_INTEGER)
    expect(checkTopicConfig('retention.ms', '9223372036854775807')).toBeNull()
  })

  test('are whole and within bounds, or refused', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const wrong = checkTopicConfig('segment.bytes', text)
        const valid = /^\s*\+?\d+\s*$/.test(text) && Number(text) >= 1_048_576 && Number(text) < 2 ** 31
        expect(wrong === null).toBe(valid)
      }),
    )
    for (const bad of ['', ' ', '1.5', '1e9', '0x100000', '1_048_576', '-1048576', '2147483648', '١٢٣٤٥٦٧']) {
      expect(checkTopicConfig('segment.bytes', bad)).toMatch(/expected a whole number, 1048576\.\.2147483647/)
    }
  })
})

test('an unknown or unhonoured broker setting names itself', () => {
  expect(() => parseBrokerConfig({ 'zookeeper.connect': 'localhost' })).toThrow(ConfigError)
  expect(() => parseBrokerConfig({ 'log.preallocate': true })).toThrow(/log\.preallocate.*not supported by this broker/)
  expect(parseBrokerConfig({ 'log.preallocate': false }).given.get('log.preallocate')).toBe('false')
})

test.each([
  [
    { 'group.consumer.session.timeout.ms': 70_000 },
    'group.consumer.session.timeout.ms',
    /group\.consumer\.max\.session\.timeout\.ms \(60000\)/,
  ],
  [
    { 'group.consumer.min.heartbeat.interval.ms': 6000 },
    'group.consumer.heartbeat.interval.ms',
    /min\.heartbeat\.interval\.ms \(6000\)/,
  ],
  [
    { 'group.consumer.session.timeout.ms': 5000 },
    'group.consumer.heartbeat.interval.ms',
    /less than group\.consumer\.session\.timeout\.ms \(5000\)/,
  ],
  [{ 'group.consumer.min.assignment.interval.ms': 20_000 }, 'group.consumer.min.assignment.interval.ms', /at most .* \(15000\)/],
] as const)('%o: the bounds of what groups may have hold for what they have by default', (values, name, allowed) => {
  const parse = (): unknown => parseBrokerConfig(values)
  expect(parse).toThrow(ConfigError)
  expect(parse).toThrow(`config['${name}']`)
  expect(parse).toThrow(allowed)
})
