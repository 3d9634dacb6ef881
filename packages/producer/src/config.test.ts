import { ConfigError } from '@millrace/protocol'
import type { CompressionType } from '@millrace/records'
import { describe, expect, test } from 'vitest'
import { resolveProducerOptions } from './config.ts'
import { Producer } from './producer.ts'

const bootstrapServers = 'localhost:9092'

test("defaults are Java's", () => {
  expect(resolveProducerOptions({ bootstrapServers })).toEqual({
    acks: -1,
    lingerMs: 5,
    batchSize: 16384,
    bufferMemory: 33554432,
    maxBlockMs: 60000,
    maxRequestSize: 1048576,
    compressionType: 'none',
    compressionLevel: undefined,
    enableIdempotence: true,
    deliveryTimeoutMs: 120000,
    requestTimeoutMs: 30000,
    retryBackoffMs: 100,
    retryBackoffMaxMs: 1000,
    maxInFlightRequestsPerConnection: 5,
    partitioner: null,
    partitionerIgnoreKeys: false,
    partitionerAdaptivePartitioningEnable: true,
    partitionerAvailabilityTimeoutMs: 0,
    keySerializer: null,
    valueSerializer: null,
    interceptors: [],
    injectTraceContext: null,
  })
})

test('other acks turn idempotence off unless it is asked for', () => {
  expect(resolveProducerOptions({ bootstrapServers, acks: 1 }).enableIdempotence).toBe(false)
  expect(resolveProducerOptions({ bootstrapServers, acks: 0 }).acks).toBe(0)
})

test('the level is that of the compression type', () => {
  const levels = { compressionGzipLevel: 1, compressionLz4Level: 2, compressionZstdLevel: -5 }
  const levelOf = (compressionType: CompressionType): unknown =>
    resolveProducerOptions({ bootstrapServers, compressionType, ...levels }).compressionLevel
  expect((['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const).map(levelOf)).toEqual([undefined, 1, undefined, 2, -5])
  expect(resolveProducerOptions({ bootstrapServers, compressionType: 'gzip' }).compressionLevel).toBe(-1)
  expect(resolveProducerOptions({ bootstrapServers, compressionType: 'lz4' }).compressionLevel).toBe(9)
  expect(resolveProducerOptions({ bootstrapServers, compressionType: 'zstd' }).compressionLevel).toBe(3)
})

test('a default deliveryTimeoutMs grows with what it must hold', () => {
  expect(resolveProducerOptions({ bootstrapServers, requestTimeoutMs: 200_000 }).deliveryTimeoutMs).toBe(200_005)
  // No timer can be longer.
  const longest = 2_147_483_647
  expect(resolveProducerOptions({ bootstrapServers, lingerMs: longest }).deliveryTimeoutMs).toBe(longest)
})

describe('refuses, naming the option', () => {
  const wrong: ReadonlyArray<readonly [option: string, options: object]> = [
    ['acks', { acks: 'some' }],
    ['acks', { acks: 2 }],
    ['lingerMs', { lingerMs: -1 }],
    ['lingerMs', { lingerMs: 1.5 }],
    ['batchSize', { batchSize: '16384' }],
    ['bufferMemory', { bufferMemory: 0 }],
    ['bufferMemory', { bufferMemory: 16_383 }],
    ['compressionType', { compressionType: 'brotli' }],
    ['compressionGzipLevel', { compressionGzipLevel: 0 }],
    ['compressionGzipLevel', { compressionType: 'gzip', compressionGzipLevel: 10 }],
    ['compressionLz4Level', { compressionLz4Level: 18 }],
    ['compressionLz4Level', { compressionLz4Level: 1.5 }],
    ['compressionZstdLevel', { compressionZstdLevel: 23 }],
    ['compressionZstdLevel', { compressionZstdLevel: '3' }],
    ['enableIdempotence', { enableIdempotence: 'yes' }],
    ['enableIdempotence', { enableIdempotence: true, acks: 1 }],
    ['maxInFlightRequestsPerConnection', { maxInFlightRequestsPerConnection: 6 }],
    ['deliveryTimeoutMs', { deliveryTimeoutMs: 30_000 }],
    ['partitioner', { partitioner: 'murmur2' }],
    ['partitionerIgnoreKeys', { partitionerIgnoreKeys: 1 }],
    ['partitionerIgnoreKeys', { partitionerIgnoreKeys: true, partitioner: 'roundRobin' }],
    ['partitionerAdaptivePartitioningEnable', { partitionerAdaptivePartitioningEnable: 'no' }],
    ['partitionerAvailabilityTimeoutMs', { partitionerAvailabilityTimeoutMs: -1 }],
    ['partitionerAvailabilityTimeoutMs', { partitionerAvailabilityTimeoutMs: 5, partitionerAdaptivePartitioningEnable: false }],
    ['enableIdempotence', { enableIdempotence: true, acks: 0 }],
    ['maxInFlightRequestsPerConnection', { maxInFlightRequestsPerConnection: 0 }],
    ['maxInFlightRequestsPerConnection', { maxInFlightRequestsPerConnection: 1.5 }],
    ['deliveryTimeoutMs', { deliveryTimeoutMs: 0 }],
    ['deliveryTimeoutMs', { deliveryTimeoutMs: 5_000, lingerMs: 6_000 }],
    ['deliveryTimeoutMs', { deliveryTimeoutMs: 5_000, lingerMs: 2_000, requestTimeoutMs: 3_001 }],
    ['deliveryTimeoutMs', { deliveryTimeoutMs: Infinity }],
    ['batchSize', { batchSize: -1 }],
    ['maxBlockMs', { maxBlockMs: -1 }],
    ['maxBlockMs', { maxBlockMs: Number.NaN }],
    ['maxRequestSize', { maxRequestSize: 0 }],
    ['requestTimeoutMs', { requestTimeoutMs: 0 }],
    ['retryBackoffMs', { retryBackoffMs: -1 }],
    ['retryBackoffMaxMs', { retryBackoffMaxMs: '1' }],
    ['keySerializer', { keySerializer: 'string' }],
    ['valueSerializer', { valueSerializer: { serialize: () => '' } }],
    ['interceptors', { interceptors: { onSend: () => {} } }],
    ['interceptors[0]', { interceptors: [() => {}] }],
    ['interceptors[1]', { interceptors: [{ onSend: () => {} }, { onAck: () => {} }] }],
    ['interceptors[0].onAcknowledgement', { interceptors: [{ onAcknowledgement: true }] }],
    ['injectTraceContext', { injectTraceContext: {} }],
    ['linger', { linger: 5 }],
    ['bootstrapServers', { bootstrapServers: '' }],
  ]
  test.each(wrong)('%s in %o', (option, options) => {
    const construct = (): Producer => new Producer({ bootstrapServers, ...options })
    expect(construct).toThrow(ConfigError)
    expect(construct).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', option }))
  })

  test('six in flight are fine without idempotence', () => {
    const options = { bootstrapServers, maxInFlightRequestsPerConnection: 6, enableIdempotence: false }
    expect(resolveProducerOptions(options).maxInFlightRequestsPerConnection).toBe(6)
  })
})
