import { cpus } from 'node:os'
import { isPeer, missingReason, OWN, OWN_SINGLE, producingMode } from '../clients/registry.ts'
import type { BrokerKind } from '../options.ts'
import { succeeded } from '../run-client.ts'
import { median } from '../statistics.ts'
import { digits, markdownTable, megabytes, thousands, type Row } from '../table.ts'
import type { ProduceMeasurement } from '../workload.ts'
import { sizeText, type Case } from './cases.ts'
import { codecMicros } from './codec-floor.ts'
import type { CaseResults } from './produce-bench.ts'
import { judged, judgedUnless, limitOf, type Wanted } from './verdict.ts'

/** The figures that were asked for, all of them against the best peer of the row. */
const RATE: Wanted = { least: 2 }
const CPU: Wanted = { most: 1 / 3 }
const CPU_SINGLE: Wanted = { most: 1 / 2 }
const LOOP_DELAY_MS: Wanted = { most: 20 }

/** Threads that a broker can keep busy. */
export const BROKER_THREADS: Readonly<Record<BrokerKind, number>> = { embedded: 1, real: Infinity }

/** The verdicts in one table, then all figures in one for each size, then what each client was told. */
export function produceTables(results: ReadonlyMap<Case, CaseResults>, kind: BrokerKind, clients: readonly string[]): string {
  const sizes = [...new Set([...results.keys()].map(({ messageBytes }) => messageBytes))]
  const details = sizes.map((bytes) => {
    const ofSize = [...results].filter(([{ messageBytes }]) => messageBytes === bytes)
    return `### ${sizeText(bytes)}\n\n${detailTable(ofSize)}`
  })
  return [verdictTable(results, kind, cpus().length), VERDICT_NOTE, ...details, modes(clients, 'many')].join('\n\n')
}

/** The best peer of a row in one figure; NaN and no name when none was measured. */
export interface Best {
  readonly client: string
  readonly value: number
}

export function bestPeer(
  perClient: CaseResults,
  field: keyof ProduceMeasurement,
  better: (a: number, b: number) => boolean,
): Best {
  let best: Best = { client: '–', value: Number.NaN }
  for (const [client, attempts] of perClient) {
    const value = medianOf(attempts, field)
    if (!isPeer(client) || Number.isNaN(value)) continue
    if (Number.isNaN(best.value) || better(value, best.value)) best = { client, value }
  }
  return best
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
      one.compression === 'none' ? '' : digits(codecMicros(one.messageBytes, one.compression)),
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
stand in a cell, they are of \`sendAll\` and of \`send\`. \`codec alone\` is what the compression of full batches costs by itself per message, which no client
can do without: where it is more than a third of the best peer's CPU, a third is out of reach.`

function detailTable(results: readonly (readonly [Case, CaseResults])[]): string {
  const head = [
    'codec, partitions, client',
    'messages/s',
    'CPU µs/message',
    'client, cores',
    'broker, cores',
    'loop delay p99 ms',
    'ack p50 ms',
    'ack p99 ms',
    'peak RSS MB',
  ]
  const rows = results.flatMap(([{ compression, partitions }, perClient]) =>
    [...perClient].map(([client, attempts]): Row => {
      const name = `${compression}, ${partitions}, ${client}`
      const failed = attempts.length - succeeded(attempts).length
      if (failed === attempts.length) return [`${name} (failed)`, ...Array.from({ length: head.length - 1 }, () => '–')]
      const { clientCores, brokerCores } = coresOf(attempts)
      return [
        failed === 0 ? name : `${name} (${failed} of ${attempts.length} runs failed)`,
        thousands(medianOf(attempts, 'messagesPerSecond')),
        digits(medianOf(attempts, 'cpuMicrosPerMessage')),
        clientCores.toFixed(2),
        brokerCores.toFixed(2),
        digits(medianOf(attempts, 'loopDelayP99Ms')),
        digits(medianOf(attempts, 'callP50Ms')),
        digits(medianOf(attempts, 'callP99Ms')),
        megabytes(medianOf(attempts, 'peakRssBytes')),
      ]
    }),
  )
  return markdownTable(head, rows)
}

/** What each client was told, and which could not be measured. */
export function modes(clients: readonly string[], sent: 'many' | 'one'): string {
  const lines = clients
    .filter((client) => client !== 'java')
    .map((client) => {
      const missing = missingReason(client)
      if (missing !== undefined) return `- ${client}: not measured: ${missing}`
      const { producing, calls } = producingMode(client)
      return `- ${client}: ${producing}${sent === 'many' ? `; ${calls}` : ''}`
    })
  return `All with acks all.\n\n${lines.join('\n')}`
}

function medianOf(
  attempts: CaseResults extends Map<string, infer Attempts> ? Attempts : never,
  field: keyof ProduceMeasurement,
): number {
  return median(succeeded(attempts).map((measured) => measured[field]))
}

function coresOf(attempts: Parameters<typeof medianOf>[0]): { clientCores: number; brokerCores: number } {
  return { clientCores: medianOf(attempts, 'clientCores'), brokerCores: medianOf(attempts, 'brokerCores') }
}
