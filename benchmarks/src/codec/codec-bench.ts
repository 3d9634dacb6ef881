import { join } from 'node:path'
import { runOk } from '@millrace/testkit'
import { digits, markdownTable, type Row } from '../table.ts'
import { codecs, operations, type Operation } from './cases.ts'
import { METADATA_PARTITIONS, values, VALUE_BYTES } from './fixtures.ts'

const worker: string = join(import.meta.dirname, 'worker.ts')

/** Codecs take turns; of each, the round that was disturbed least counts. */
const ROUNDS = 3

function least(before: number | null, now: number | null): number | null {
  return before === null || (now !== null && now < before) ? now : before
}

/** Nanoseconds per record and per partition, each codec and operation in a process of its own. */
export async function benchCodecs(log: (line: string) => void): Promise<string> {
  const nanos = new Map<Operation, Map<string, number | null>>()
  for (const operation of operations) {
    const perCodec = new Map<string, number | null>()
    for (let round = 0; round < ROUNDS; round++) {
      for (const codec of Object.keys(codecs)) {
        const { stdout } = await runOk(process.execPath, [...process.execArgv, worker, codec, operation])
        perCodec.set(codec, least(perCodec.get(codec) ?? null, JSON.parse(stdout) as number | null))
      }
    }
    for (const [codec, perRun] of perCodec) log(`${operation}, ${codec}: ${digits(perRun ?? undefined)} ns`)
    nanos.set(operation, perCodec)
  }
  const rows = operations.flatMap((operation): Row[] => [rowOf(operation, nanos.get(operation)!)])
  const head = ['per record or partition, ns', ...Object.keys(codecs), "best peer ÷ Millrace's"]
  return `${markdownTable(head, rows)}\n\n${NOTES}`
}

function rowOf(operation: Operation, perCodec: ReadonlyMap<string, number | null>): Row {
  const items = operation.endsWith(' batch') ? values.length : METADATA_PARTITIONS
  const all = [...perCodec].map(([codec, perRun]) => ({ codec, perItem: perRun === null ? Number.NaN : perRun / items }))
  const peers = all.filter((one) => one.codec !== 'millrace' && Number.isFinite(one.perItem)).map((one) => one.perItem)
  const own = all.find((one) => one.codec === 'millrace')!.perItem
  return [
    operation,
    ...all.map((one) => (Number.isFinite(one.perItem) ? digits(one.perItem) : 'not exported')),
    peers.length === 0 ? '–' : digits(Math.min(...peers) / own),
  ]
}

const NOTES = `A batch is ${values.length} records of ${VALUE_BYTES} B in 16 KiB, without compression; decoding reads every value, walking only the offsets
(the peers decode all of a record at once, Millrace what is asked for). Encoding begins at the values
and ends at contiguous bytes with their CRC. Millrace and @kafkats/client check the CRC when decoding, the others never do. The Metadata
response has ${METADATA_PARTITIONS} partitions of three replicas, version 12 (kafkajs: 6, its newest); no peer can encode one. kafkajs does not export its codec: its files are loaded by path.`
