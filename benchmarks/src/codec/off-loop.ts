// Compression on the event loop beside compression off it, by codec and size: node --conditions=@millrace/source benchmarks/src/codec/off-loop.ts
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { codecOf, type CompressionType } from '@millrace/records/internal'
import { digits, markdownTable, type Row } from '../table.ts'
import { jsonRecords } from './json-records.ts'

type CodecName = Exclude<CompressionType, 'none'>

interface Sample {
  readonly wallUs: number
  /** Time that the event loop was busy. */
  readonly loopUs: number
  readonly cpuUs: number
  readonly delayP99Ms: number
}

const CODECS: readonly CodecName[] = ['gzip', 'snappy', 'lz4', 'zstd']
const SIZES: readonly number[] = [1, 4, 16, 32, 64, 128, 256, 1024].map((kib) => kib * 1024)
/** As many as the producer has under way at once. */
const CONCURRENCY = 4
const ROUNDS = 5
const BYTES_PER_ROUND = 16 * 1024 * 1024
/** Work between two turns of the loop, as in a producer that is handed records without end. */
const TURN_BYTES = 256 * 1024

async function measure(run: (count: number) => Promise<void>, count: number): Promise<Sample> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const cpu = process.cpuUsage()
  const loop = performance.eventLoopUtilization()
  const start = performance.now()
  await run(count)
  const wallMs = performance.now() - start
  const { active } = performance.eventLoopUtilization(loop)
  const { user, system } = process.cpuUsage(cpu)
  delay.disable()
  return {
    wallUs: (wallMs * 1000) / count,
    loopUs: (active * 1000) / count,
    cpuUs: (user + system) / count,
    delayP99Ms: delay.percentile(99) / 1e6,
  }
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

async function onLoop(codec: CodecName, bytes: Buffer, count: number): Promise<void> {
  let done = 0
  for (let index = 0; index < count; index++) {
    codecOf(codec).compress(bytes)
    if ((done += bytes.length) < TURN_BYTES) continue
    done = 0
    await turn()
  }
}

async function offLoop(codec: CodecName, bytes: Buffer, count: number): Promise<void> {
  let left = count
  const worker = async (): Promise<void> => {
    while (left-- > 0) await codecOf(codec).compressAsync(bytes)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
}

function median(samples: readonly Sample[]): Sample {
  return samples.toSorted((a, b) => a.wallUs - b.wallUs)[samples.length >> 1]!
}

async function rowOf(codec: CodecName, size: number): Promise<Row> {
  const bytes = jsonRecords(size)
  const count = Math.max(12, Math.min(2_000, Math.floor(BYTES_PER_ROUND / size)))
  const on: Sample[] = []
  const off: Sample[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    on.push(await measure((times) => onLoop(codec, bytes, times), count))
    off.push(await measure((times) => offLoop(codec, bytes, times), count))
  }
  const [sync, other] = [median(on.slice(1)), median(off.slice(1))]
  const ratio = size / codecOf(codec).compress(bytes).length
  const mbPerSecond = ({ wallUs }: Sample): string => digits(size / wallUs)
  return [
    codec,
    `${size / 1024} KiB`,
    digits(ratio),
    digits(sync.loopUs),
    digits(other.loopUs),
    digits(sync.cpuUs),
    digits(other.cpuUs),
    mbPerSecond(sync),
    mbPerSecond(other),
    digits(sync.delayP99Ms),
    digits(other.delayP99Ms),
  ]
}

const HEAD = ['codec', 'input', 'ratio', 'loop on', 'loop off', 'CPU on', 'CPU off', 'MB/s on', 'MB/s off', 'p99 on', 'p99 off']
const rows: Row[] = []
for (const codec of CODECS) {
  for (const size of SIZES) {
    const row = await rowOf(codec, size)
    rows.push(row)
    process.stderr.write(`${row.join(' ')}\n`)
  }
}
process.stdout.write(`${markdownTable(HEAD, rows)}\n`)
