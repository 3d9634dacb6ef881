import { ConfigError } from '@millrace/protocol'
import { expect, test } from 'vitest'
import { parseBootstrapServers } from './bootstrap-servers.ts'
import { pickClientOptions, resolveClientOptions, type ClusterClientOptions } from './options.ts'

const bootstrapServers = 'localhost:9092'

function refusal(options: Record<string, unknown>): ConfigError {
  try {
    resolveClientOptions({ bootstrapServers, ...options })
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('was not refused')
}

test("fills in Java's defaults", () => {
  expect(resolveClientOptions({ bootstrapServers })).toMatchObject({
    clientId: 'millrace',
    requestTimeoutMs: 30_000,
    defaultApiTimeoutMs: 60_000,
    socketConnectionSetupTimeoutMs: 10_000,
    socketConnectionSetupTimeoutMaxMs: 30_000,
    connectionsMaxIdleMs: 540_000,
    metadataMaxAgeMs: 300_000,
    retryBackoffMs: 100,
    retryBackoffMaxMs: 1_000,
    reconnectBackoffMs: 50,
    reconnectBackoffMaxMs: 1_000,
    metadataRecoveryStrategy: 'rebootstrap',
    metadataRecoveryRebootstrapTriggerMs: 300_000,
  })
})

test.each([
  ['a:1', [{ host: 'a', port: 1 }]],
  [
    ' a:1 , B:65535 ',
    [
      { host: 'a', port: 1 },
      { host: 'b', port: 65535 },
    ],
  ],
  [
    ['a:1', 'a:1', 'a:2'],
    [
      { host: 'a', port: 1 },
      { host: 'a', port: 2 },
    ],
  ],
  ['[::1]:9092', [{ host: '::1', port: 9092 }]],
  ['[fe80::1%eth0]:9092', [{ host: 'fe80::1%eth0', port: 9092 }]],
  ['10.0.0.1:9092', [{ host: '10.0.0.1', port: 9092 }]],
])('reads the bootstrap servers %j', (value, expected) => {
  expect(parseBootstrapServers(value)).toEqual(expected)
})

test.each([
  undefined,
  null,
  9092,
  '',
  ',',
  [],
  'a',
  'a:',
  ':9092',
  'a:0',
  'a:65536',
  'a:-1',
  'a:9092x',
  'a:1.5',
  '::1:9092',
  '[::1]',
  '[]:1',
  'a b:1',
  'http://a:1',
  'user@a:1',
  'a:1,,b:2',
  [1],
  [null],
  ['a:1', 'nonsense'],
  {},
  'a:999999999999',
])('refuses the bootstrap servers %j', (value) => {
  expect(() => parseBootstrapServers(value)).toThrow(ConfigError)
  expect(() => parseBootstrapServers(value)).toThrow(/^bootstrapServers: /)
})

test('says which address is the wrong one', () => {
  expect(() => parseBootstrapServers('good:9092,bad')).toThrow('"bad"')
})

test.each([
  ['requestTimeoutMs', 0],
  ['requestTimeoutMs', '30000'],
  ['requestTimeoutMs', Number.NaN],
  ['requestTimeoutMs', 1.5],
  ['requestTimeoutMs', 2 ** 31],
  ['defaultApiTimeoutMs', -1],
  ['connectionsMaxIdleMs', -2],
  ['retryBackoffMs', -1],
  ['clientId', ''],
  ['clientId', 7],
  ['clientId', 'é'.repeat(16_384)],
  ['metadataRecoveryStrategy', 'maybe'],
  ['allowAutoCreateTopics', 1],
  ['maxInFlightRequestsPerConnection', 0],
  ['requestTimeoutMs', null],
])('refuses %s = %j and names it', (option, value) => {
  const error = refusal({ [option]: value })
  expect(error.option).toBe(option)
  expect(error.message).toContain('expected')
})

test('refuses an option that does not exist, and says which one comes close', () => {
  expect(refusal({ requestTimeout: 5 }).message).toContain('did you mean requestTimeoutMs?')
  expect(refusal({ 'client.id': 'x' }).message).toContain('clientId')
  expect(refusal({ acksss: 1 }).message).toContain('the options are bootstrapServers')
})

test.each(['ssl', 'sasl', 'saslMechanism', 'sslCa', 'tls'])('refuses %s: not supported yet', (option) => {
  expect(refusal({ [option]: {} }).message).toContain('not supported yet')
})

test.each(['saslPassword', 'saslJaasConfig', 'sslKeyPassword', 'password', 'oauthToken'])(
  'keeps the value of %s out of the message',
  (option) => {
    expect(refusal({ [option]: 'hunter2' }).message).toMatch(new RegExp(`^${option}: the value \\(not shown\\) is not allowed`))
  },
)

test('refuses a security protocol that would need TLS or SASL', () => {
  expect(refusal({ securityProtocol: 'SASL_SSL' }).message).toContain('not supported yet')
  expect(resolveClientOptions({ bootstrapServers, securityProtocol: 'PLAINTEXT' }).clientId).toBe('millrace')
})

test.each([undefined, null, 'localhost:9092', 5])('refuses %j in place of options', (options) => {
  expect(() => resolveClientOptions(options as unknown as ClusterClientOptions)).toThrow(ConfigError)
})

test('picks the client options out of those of a producer', () => {
  const options = { bootstrapServers, lingerMs: 5, clientId: 'me' }
  expect(pickClientOptions(options)).toEqual({ bootstrapServers, clientId: 'me' })
})
