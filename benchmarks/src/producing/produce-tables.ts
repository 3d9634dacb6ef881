import { cpus } from 'node:os'
import { OWN, OWN_SINGLE, modeOf } from '../clients/registry.ts'
import { bestPeer, coresOf, medianOf } from '../comparison.ts'
import { figureTables, modeLines, PEAK_RSS, type FigureColumn } from '../figures-table.ts'
import { BATCH_BYTES } from '../limits.ts'
import type { BrokerKind } from '../options.ts'
import { digits, markdownTable, thousands, type Row } from '../table.ts'
import type { ProduceMeasurement } from '../workload.ts'
import { sizeText, type Case } from './cases.ts'
import { compressMicros } from './codec-floor.ts'
import type { CaseResults } from './produce-bench.ts'
import { BROKER_THREADS, judged, judgedUnless, limitOf, type Wanted } from './verdict.ts'

/** The figures that were asked for, all of them against the best peer of the row. */
const RATE: Wanted = { least: 2 }
const CPU: Wanted = { most: 1 / 3 }
const CPU_SINGLE: Wanted = { most: 1 / 2 }
const LOOP_DELAY_MS: Wanted = { most: 20 }

/** The verdicts in one table, then all figures in one for each size, then what each client was told. */
export function produceTables(results: ReadonlyMap<Case, CaseResults>, kind: BrokerKind, clients: readonly string[]): string {
  const details = figureTables(results, (size) => size, COLUMNS)
  return [verdictTable(results, kind, cpus().length), VERDICT_NOTE, ...details, modes(clients, 'many')].join('\n\n')
}

export function verdictTable(results: ReadonlyMap<Case, CaseResults>, kind: BrokerKind, cores: number): string {
  const head = [
    'row',
    'best peer, messages/s',
    '`sendAll` ÷ it, ≥ 2',
    '`send` ÷ it, ≥ 2',
    'best peer, µs',
    'codec alone, µs',
    '`sendAll` ÷ it, ≤ 1/3',
    '`send` ÷ it, ≤ 1/2',
    'loop delay p99 ms, < 20',
    'limit',
  ]
  const rows = [...results].map(([one, perClient]): Row => {
    const rate = bestPeer(perClient, 'messagesPerSecond', (a, b) => a > b)
    const cpu = bestPeer(perClient, 'cpuMicrosPerMessage', (a, b) => a < b)
    const own = perClient.get(OWN) ?? []
    const single = perClient.get(OWN_SINGLE) ?? []
    const limits = [own, single].map((attempts) => limitOf(coresOf(attempts), cores, BROKER_THREADS[kind]))
    return [
      `${sizeText(one.messageBytes)}, ${one.compression}, ${one.partitions}`,
      `${thousands(rate.value)} ${rate.client}`,
      judgedUnless(limits[0]!, medianOf(own, 'messagesPerSecond') / rate.value, RATE),
      judgedUnless(limits[1]!, medianOf(single, 'messagesPerSecond') / rate.value, RATE),
      `${digits(cpu.value)} ${cpu.client}`,
      one.compression === 'none' ? '' : digits(compressMicros(one.messageBytes, one.compression, BATCH_BYTES)),
      judged(medianOf(own, 'cpuMicrosPerMessage') / cpu.value, CPU),
      judged(medianOf(single, 'cpuMicrosPerMessage') / cpu.value, CPU_SINGLE),
      [own, single].map((attempts) => judged(medianOf(attempts, 'loopDelayP99Ms'), LOOP_DELAY_MS)).join(', '),
      limits.join(', '),
    ]
  })
  return markdownTable(head, rows)
}

const VERDICT_NOTE = `Rows are size, codec, partitions. ✓ and ✗ say whether what the head of the column names is reached; in place of ✗, a name in brackets says
that the client was not what held the rate: \`broker\`, its thread was busy for nine tenths of the time; \`machine\`, all cores were. Where two figures
stand in a cell, they are of \`sendAll\` and of \`send\`. \`codec alone\` is what the compression of full batches costs our codec by itself
per message: where it is more than a third of the best peer's CPU, a third is out of reach.`

const COLUMNS: readonly FigureColumn<ProduceMeasurement>[] = [
  { head: 'loop delay p99 ms', figure: (attempts) => digits(medianOf(attempts, 'loopDelayP99Ms')) },
  { head: 'ack p50 ms', figure: (attempts) => digits(medianOf(attempts, 'callP50Ms')) },
  { head: 'ack p99 ms', figure: (attempts) => digits(medianOf(attempts, 'callP99Ms')) },
  PEAK_RSS,
]

/** What each client was told, and which could not be measured. */
export function modes(clients: readonly string[], sent: 'many' | 'one'): string {
  const told = (client: string): string => {
    const { producing, calls } = modeOf(client)
    return `${producing}${sent === 'many' ? `; ${calls}` : ''}`
  }
  return `All with acks all.\n\n${modeLines(clients, told)}`
}
