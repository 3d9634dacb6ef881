import { describe, expect, test } from 'vitest'
import { readBatches, RecordBatchBuilder, type RecordInput } from '../src/index.ts'
import { codecOf, encodeEndTransactionMarker, allowNativeCodecs, allowNativeCrc32c } from '../src/internal.ts'
import * as java from '../vectors/java-text.ts'

const cases = java.parseCases(java.readCommittedText())
const named = (name: string) => cases.find((one) => one.name === name)!

/** Cases whose offsets or header a producer cannot make. */
const ONLY_READ = ['gaps', 'delete-horizon', 'header', 'control', 'two-batches']

function build(records: readonly RecordInput[]): RecordBatchBuilder {
  const builder = new RecordBatchBuilder({ batchSize: 1 << 20 })
  for (const { timestamp, key, value, headers } of records) {
    if (!builder.tryAppend(timestamp, key, value, headers)) throw new Error('does not fit')
  }
  return builder
}

test('there are vectors for every codec', () => {
  expect(cases.length).toBeGreaterThanOrEqual(75)
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    expect(cases.filter((one) => one.name.startsWith(codec)).length).toBeGreaterThanOrEqual(13)
  }
})

describe.each([true, false])('with native libraries: %s', (native) => {
  test.each(cases.map((one) => one.name))('reads %s as Java does', async (name) => {
    allowNativeCodecs(native)
    allowNativeCrc32c(native)
    try {
      const { bytes, lines } = named(name)
      expect(await java.describe(bytes)).toEqual(lines)
      const synchronous = [...readBatches(bytes)].flatMap((batch) => [
        java.describeBatch(batch),
        ...batch.toArray().map(java.describeRecord),
      ])
      expect(synchronous).toEqual(lines)
    } finally {
      allowNativeCodecs(true)
      allowNativeCrc32c(true)
    }
  })
})

/** Records of a LogAppendTime batch are read with one timestamp, but were written with those of the transactional case. */
function inputOf(name: string) {
  const { options } = java.parseBatch(named(name).lines)
  return { options, records: java.parseBatch(named(name.replace('log-append-time', 'transactional')).lines).records }
}

const written = cases.filter((one) => !ONLY_READ.some((part) => one.name.includes(part)))

test.each(written.filter((one) => one.name.startsWith('none')).map((one) => one.name))(
  'writes %s byte for byte as Java does',
  (name) => {
    const { bytes } = named(name)
    const { records, options } = inputOf(name)
    expect(build(records).seal(options)).toEqual(bytes)
  },
)

test.each(written.filter((one) => !one.name.startsWith('none')).map((one) => one.name))(
  'writes the records of %s as Java did before it compressed them',
  (name) => {
    const { bytes } = named(name)
    const { records, options } = inputOf(name)
    const [batch] = readBatches(bytes)
    if (batch === undefined || batch.compression === 'none') throw new Error('not compressed')
    const unpacked = codecOf(batch.compression).decompress(bytes.subarray(61), 1 << 20)
    expect(build(records).seal(options).subarray(61)).toEqual(unpacked)
  },
)

test.each([
  ['control-commit', 'commit', 7],
  ['control-abort', 'abort', 0],
] as const)('writes %s byte for byte as Java does', (name, type, coordinatorEpoch) => {
  const marker = { type, coordinatorEpoch, producerId: 4242, producerEpoch: 3, timestamp: 1_790_000_000_000 }
  expect(encodeEndTransactionMarker({ ...marker, baseOffset: 500, partitionLeaderEpoch: 9 })).toEqual(named(name).bytes)
})
