/**
 * Checks this package against Kafka's own classes, in both directions. Needs Maven and JDK 17 or later.
 *
 *   node --conditions=@millrace/source packages/records/vectors/verify.ts          verify; exits 1 when anything differs
 *   node --conditions=@millrace/source packages/records/vectors/verify.ts --write  write java-batches.txt.br anew
 *
 * Java writes its vectors again, which must be those committed; and Java reads what our builder writes: the records of every
 * vector, and random ones, with each codec, with the native libraries and without, at once and off the loop.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { RecordBatchBuilder, type CompressionType, type RecordBytes, type RecordInput, type SealOptions } from '../src/index.ts'
import * as header from '../src/batch-header.ts'
import { allowNativeCodecs } from '../src/internal.ts'
import * as java from './java-text.ts'

const PROJECT = join(import.meta.dirname, 'java')
const LIBRARIES = join(PROJECT, 'target', 'clients')
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024
const RANDOM_BATCHES = 40

const CODECS: readonly [CompressionType, level: number | undefined][] = [
  ['none', undefined],
  ['gzip', undefined],
  ['gzip', 1],
  ['gzip', 9],
  ['snappy', undefined],
  ['lz4', undefined],
  ['lz4', 9],
  ['lz4', 1],
  ['lz4', 17],
  ['zstd', undefined],
  ['zstd', -7],
  ['zstd', 19],
]

interface Source {
  readonly name: string
  readonly records: RecordInput[]
  readonly options: SealOptions
  /** As Java describes the records. */
  readonly lines: readonly string[]
}

function runJava(mode: 'write' | 'verify', input: string): string {
  const classPath = `${join(PROJECT, 'target', 'classes')}:${join(LIBRARIES, '*')}`
  return execFileSync('java', ['-cp', classPath, 'millrace.Vectors', mode], { input, encoding: 'latin1', maxBuffer: MAX_OUTPUT_BYTES })
}

function compileJava(): void {
  const goals = ['compile', 'dependency:copy-dependencies', `-DoutputDirectory=${LIBRARIES}`]
  for (const goal of [goals.slice(0, 1), goals.slice(1)]) {
    execFileSync('mvn', ['-q', '-B', ...goal], { cwd: PROJECT, stdio: ['ignore', 'ignore', 'inherit'] })
  }
}

/** Every uncompressed vector of one batch with consecutive offsets. */
function vectorSources(cases: readonly java.JavaCase[]): Source[] {
  const usable = cases.filter(({ name }) => name.startsWith('none-') && !/gaps|two-batches|delete-horizon/.test(name))
  return usable.map(({ name, lines }) => ({ name, lines: lines.slice(1), ...java.parseBatch(lines) }))
}

function randomSource(index: number): Source {
  let state = index * 2_654_435_761 + 1
  const random = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
  const bytes = (limit: number): Buffer | null => {
    if (random(10) === 0) return null
    const spread = 1 + random(255)
    return Buffer.from(Array.from({ length: random(limit) }, () => random(spread)))
  }
  const records: RecordInput[] = Array.from({ length: 1 + random(60) }, () => ({
    timestamp: random(20) === 0 ? -1 : 1_790_000_000_000 + random(1_000_000) - 500_000,
    key: bytes(40),
    value: bytes(random(8) === 0 ? 40_000 : 300),
    headers: Array.from({ length: random(4) }, () => [`h${random(5)}`, bytes(20)] as const),
  }))
  const idempotent = random(2) === 0
  const options: SealOptions = idempotent
    ? { producerId: random(1e9), producerEpoch: random(32_768), baseSequence: random(2 ** 31), transactional: random(2) === 0 }
    : {}
  return { name: `random-${index}`, records, options, lines: records.map(describeInput) }
}

function describeInput({ timestamp, key, value, headers = [] }: RecordInput, offset: number): string {
  const encode = (bytes: RecordBytes): string => (bytes === null ? '-' : `=${Buffer.from(bytes).toString('base64')}`)
  return ['record', offset, timestamp, encode(key), encode(value), ...headers.flatMap((pair) => pair.map(encode))].join(' ')
}

async function writeOurs(source: Source, type: CompressionType, level: number | undefined, off: boolean): Promise<java.JavaCase> {
  const builder = new RecordBatchBuilder({ batchSize: 4 << 20 })
  for (const { timestamp, key, value, headers } of source.records) {
    if (!builder.tryAppend(timestamp, key, value, headers)) throw new Error(`${source.name} does not fit`)
  }
  const options: SealOptions = { ...source.options, compression: type, ...(level === undefined ? {} : { compressionLevel: level }) }
  const bytes = off ? await builder.sealAsync(options) : builder.seal(options)
  return { name: `${source.name}/${type}/${level ?? 'default'}/${off ? 'async' : 'sync'}`, bytes, lines: [expectBatch(source, type, bytes), ...source.lines] }
}

/** What Java must read in the header, from what we asked for: only size and CRC are taken from the bytes. */
function expectBatch({ records, options }: Source, type: CompressionType, bytes: Buffer): string {
  const sequence = options.baseSequence ?? -1
  const last = records.length - 1
  return [
    'batch',
    options.baseOffset ?? 0,
    (options.baseOffset ?? 0) + last,
    options.partitionLeaderEpoch ?? -1,
    type,
    options.logAppendTime === undefined ? 'CreateTime' : 'LogAppendTime',
    options.transactional ?? false,
    options.control ?? false,
    options.logAppendTime ?? Math.max(...records.map((record) => record.timestamp)),
    options.producerId ?? -1,
    options.producerEpoch ?? -1,
    sequence,
    sequence === -1 ? -1 : (sequence + last) % 2 ** 31,
    records.length,
    -1,
    bytes.length,
    header.crc(bytes, 0),
  ].join(' ')
}

async function verify(): Promise<boolean> {
  const text = runJava('write', '')
  const same = text === java.readCommittedText()
  console.log(same ? 'Java writes the committed vectors' : 'FAILED: Java writes other vectors than those committed')
  const sources = [...vectorSources(java.parseCases(text)), ...Array.from({ length: RANDOM_BATCHES }, (_, index) => randomSource(index))]
  const ours: java.JavaCase[] = []
  for (const source of sources) {
    for (const [type, level] of CODECS) {
      ours.push(await writeOurs(source, type, level, false), await writeOurs(source, type, level, true))
      if (type !== 'snappy' && type !== 'lz4') continue
      allowNativeCodecs(false)
      const fallback = await writeOurs(source, type, level, false)
      ours.push({ ...fallback, name: `${fallback.name}/javascript` })
      allowNativeCodecs(true)
    }
  }
  let report: string
  let failed = false
  try {
    report = runJava('verify', ours.map(java.formatCase).join(''))
  } catch (error) {
    report = String((error as { stdout: unknown }).stdout)
    failed = true
  }
  const counted = /verified (\d+) failed 0\n$/.exec(report)
  console.log(report.trim().slice(0, 4000))
  return same && !failed && Number(counted?.[1]) === ours.length
}

compileJava()
if (process.argv.includes('--write')) java.writeCommittedText(runJava('write', ''))
else if (!(await verify())) process.exitCode = 1
