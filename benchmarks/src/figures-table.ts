import { missingReason } from './clients/registry.ts'
import { coresOf, medianOf, type PerClient } from './comparison.ts'
import { sizeText, type Case } from './producing/cases.ts'
import { succeeded, type Attempt } from './run-client.ts'
import { digits, markdownTable, megabytes, thousands, type Row } from './table.ts'
import type { Cores, Measurement } from './workload.ts'

/** A figure that only some tables have. */
export interface FigureColumn<Result> {
  readonly head: string
  figure(attempts: readonly Attempt<Result>[]): string
}

/** A table for each message size: rate, CPU and cores, and what else there is. */
export function figureTables<Result extends Measurement & Cores>(
  results: ReadonlyMap<Case, PerClient<Result>>,
  titleOf: (size: string) => string,
  more: readonly FigureColumn<Result>[],
): string[] {
  const sizes = [...new Set([...results.keys()].map(({ messageBytes }) => messageBytes))]
  return sizes.map((bytes) => {
    const ofSize = [...results].filter(([{ messageBytes }]) => messageBytes === bytes)
    return `### ${titleOf(sizeText(bytes))}\n\n${figuresTable(ofSize, more)}`
  })
}

/** Of the whole process. */
export const PEAK_RSS: FigureColumn<Measurement> = {
  head: 'peak RSS MB',
  figure: (attempts) => megabytes(medianOf(attempts, 'peakRssBytes')),
}

function figuresTable<Result extends Measurement & Cores>(
  results: readonly (readonly [Case, PerClient<Result>])[],
  more: readonly FigureColumn<Result>[],
): string {
  const head = ['codec, partitions, client', 'messages/s', 'CPU µs/message', 'client, cores', 'broker, cores']
  const columns = [...head, ...more.map((column) => column.head)]
  const rows = results.flatMap(([{ compression, partitions }, perClient]) =>
    [...perClient].map(([client, attempts]): Row => {
      const name = `${compression}, ${partitions}, ${client}`
      const failed = attempts.length - succeeded(attempts).length
      if (failed === attempts.length) return [`${name} (failed)`, ...Array.from({ length: columns.length - 1 }, () => '–')]
      const { clientCores, brokerCores } = coresOf(attempts)
      return [
        failed === 0 ? name : `${name} (${failed} of ${attempts.length} runs failed)`,
        thousands(medianOf(attempts, 'messagesPerSecond')),
        digits(medianOf(attempts, 'cpuMicrosPerMessage')),
        clientCores.toFixed(2),
        brokerCores.toFixed(2),
        ...more.map((column) => column.figure(attempts)),
      ]
    }),
  )
  return markdownTable(columns, rows)
}

/** How each client is used, and which could not be measured. */
export function modeLines(clients: readonly string[], modeOf: (client: string) => string): string {
  const lines = clients
    .filter((client) => client !== 'java')
    .map((client) => {
      const missing = missingReason(client)
      return `- ${client}: ${missing === undefined ? modeOf(client) : `not measured: ${missing}`}`
    })
  return lines.join('\n')
}
