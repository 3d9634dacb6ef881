import { cpus } from 'node:os'
import { modeOf, OWN, OWN_SINGLE, OWN_SINGLE_KEPT } from '../clients/registry.ts'
import { bestPeer, coresOf, medianOf, type PerClient } from '../comparison.ts'
import { figureTables, modeLines, PEAK_RSS } from '../figures-table.ts'
import { CONSUME_SECONDS_MAX, FILL_BATCH_BYTES } from '../limits.ts'
import type { BrokerKind } from '../options.ts'
import { sizeText, type Case } from '../producing/cases.ts'
import { decompressMicros } from '../producing/codec-floor.ts'
import { BROKER_THREADS, judged, judgedUnless, limitOf, type Wanted } from '../producing/verdict.ts'
import { digits, markdownTable, thousands, type Row } from '../table.ts'
import type { ConsumeMeasurement } from '../workload.ts'

/** The figures that were asked for: batches against the best peer of the row, `for await` against @platformatic/kafka. */
const RATE: Wanted = { least: 1.5 }
const CPU: Wanted = { most: 1 / 3 }
const RECORDS_RATE: Wanted = { least: 3 }
const RECORDS_PEER = 'platformatic'

export type ConsumeResults = ReadonlyMap<Case, PerClient<ConsumeMeasurement>>

/** The verdicts in one table, then all figures in one for each size, then how each client hands out. */
export function consumeTables(
  results: ConsumeResults,
  kind: BrokerKind,
  clients: readonly string[],
  socketMicrosPerByte: number,
): string {
  const details = figureTables(results, (size) => `Consuming ${size}`, [PEAK_RSS])
  return [verdictTable(results, kind, cpus().length, socketMicrosPerByte), VERDICT_NOTE, ...details, modes(clients)].join('\n\n')
}

export function verdictTable(results: ConsumeResults, kind: BrokerKind, cores: number, socketMicrosPerByte: number): string {
  const head = [
    'row',
    'best peer, messages/s',
    '`batches()` ÷ it, ≥ 1.5',
    'best peer, µs',
    'socket alone, µs',
    'codec alone, µs',
    '`batches()`, µs',
    '÷ best, ≤ 1/3',
    `\`for await\`, disposing ÷ ${RECORDS_PEER}, ≥ 3`,
    'as it comes ÷ it, ≥ 3',
    'limit',
  ]
  const rows = [...results].map(([one, perClient]): Row => {
    const rate = bestPeer(perClient, 'messagesPerSecond', (a, b) => a > b)
    const cpu = bestPeer(perClient, 'cpuMicrosPerMessage', (a, b) => a < b)
    const own = perClient.get(OWN) ?? []
    const single = perClient.get(OWN_SINGLE) ?? []
    const kept = perClient.get(OWN_SINGLE_KEPT) ?? []
    const limits = [own, single, kept].map((attempts) => limitOf(coresOf(attempts), cores, BROKER_THREADS[kind]))
    const recordsPeer = medianOf(perClient.get(RECORDS_PEER) ?? [], 'messagesPerSecond')
    return [
      `${sizeText(one.messageBytes)}, ${one.compression}, ${one.partitions}`,
      `${thousands(rate.value)} ${rate.client}`,
      judgedUnless(limits[0]!, medianOf(own, 'messagesPerSecond') / rate.value, RATE),
      `${digits(cpu.value)} ${cpu.client}`,
      one.compression === 'none' ? digits(socketMicrosPerByte * one.messageBytes) : '',
      one.compression === 'none' ? '' : digits(decompressMicros(one.messageBytes, one.compression, FILL_BATCH_BYTES)),
      digits(medianOf(own, 'cpuMicrosPerMessage')),
      judged(medianOf(own, 'cpuMicrosPerMessage') / cpu.value, CPU),
      judgedUnless(limits[1]!, medianOf(single, 'messagesPerSecond') / recordsPeer, RECORDS_RATE),
      judgedUnless(limits[2]!, medianOf(kept, 'messagesPerSecond') / recordsPeer, RECORDS_RATE),
      limits.join(', '),
    ]
  })
  return markdownTable(head, rows)
}

const VERDICT_NOTE = `Rows are size, codec, partitions. ✓ and ✗ say whether what the head of the column names is reached; in place of ✗, a name in brackets says
that the client was not what held the rate: \`broker\`, its thread was busy for nine tenths of the time; \`machine\`, all cores were; \`limit\` is of \`batches()\`
and of both forms of \`for await\`. \`socket alone\` is the CPU of a process that reads as many bytes from a local socket and does not look at them, \`codec alone\` what decompressing
full batches costs our codec by itself. Where they are more than a third of the best peer's CPU, a third is out of reach.
Each run ends after what \`--messages\` says, by default 200 MB of 100 B, 1 GB of 1 KiB or 2.5 GB of 10 KiB, or after ${CONSUME_SECONDS_MAX} s: slow clients have read less by then.`

/** How each client hands out what it reads, and which could not be measured. */
export function modes(clients: readonly string[]): string {
  return modeLines(clients, (client) => modeOf(client).consuming)
}
