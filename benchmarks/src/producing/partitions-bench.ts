import { OWN, OWN_SINGLE } from '../clients/registry.ts'
import { CALLS_IN_FLIGHT, CALLS_IN_FLIGHT_MANY, CHUNK_MESSAGES } from '../limits.ts'
import type { BrokerKind, Options } from '../options.ts'
import { succeeded, type Attempt } from '../run-client.ts'
import { median, rotate } from '../statistics.ts'
import { digits, markdownTable, thousands, type Row } from '../table.ts'
import type { ProduceMeasurement } from '../workload.ts'
import { describe } from './produce-bench.ts'
import { produceOnce, withBroker } from './session.ts'
import { judged } from './verdict.ts'

const COUNTS = [1, 10, 100, 1_000]
const MESSAGE_BYTES = 100

/** With few calls under way a thousand partitions have little each; with many, all of them are busy. */
const LOADS = [
  [OWN, CALLS_IN_FLIGHT],
  [OWN, CALLS_IN_FLIGHT_MANY],
  [OWN_SINGLE, CALLS_IN_FLIGHT],
] as const

/** Partitions → one attempt per round. */
export type PartitionResults = ReadonlyMap<number, readonly Attempt<ProduceMeasurement>[]>

/** Whether a message costs more CPU the more partitions there are. */
export async function benchPartitions(kind: BrokerKind, options: Options, log: (line: string) => void): Promise<string> {
  const tables: string[] = []
  await withBroker(kind, 'last', async (session) => {
    for (const [client, callsInFlight] of LOADS) {
      const results = new Map(COUNTS.map((count): [number, Attempt<ProduceMeasurement>[]] => [count, []]))
      for (let round = 0; round < options.rounds; round++) {
        for (const partitions of rotate(COUNTS, round)) {
          const load = {
            client,
            messageBytes: MESSAGE_BYTES,
            compression: 'none',
            partitions,
            seconds: options.seconds,
            round,
            callsInFlight,
          } as const
          const measured = await produceOnce(session, load)
          log(`${kind} round ${round + 1} ${partitions} partitions ${client}, ${callsInFlight} calls: ${describe(measured)}`)
          results.get(partitions)!.push(measured)
        }
      }
      tables.push(`### ${client}, ${callsInFlight} calls of ${CHUNK_MESSAGES} under way\n\n${partitionsTable(results)}`)
    }
  })
  return `${tables.join('\n\n')}\n\nMessages of ${MESSAGE_BYTES} B without a key, not compressed.`
}

export function partitionsTable(results: PartitionResults): string {
  const cpuOf = (partitions: number): number => medianOf(results.get(partitions) ?? [], 'cpuMicrosPerMessage')
  const rows = [...results].map(([partitions, attempts]): Row => {
    const ratio = cpuOf(partitions) / cpuOf(1)
    return [
      String(partitions),
      digits(cpuOf(partitions)),
      partitions === 1 ? '1' : judged(ratio, { most: 1.25 }),
      thousands(medianOf(attempts, 'messagesPerSecond')),
      digits(medianOf(attempts, 'loopDelayP99Ms')),
    ]
  })
  return markdownTable(['partitions', 'CPU µs/message', '÷ of 1 partition, ≤ 1.25', 'messages/s', 'loop delay p99 ms'], rows)
}

function medianOf(attempts: readonly Attempt<ProduceMeasurement>[], field: keyof ProduceMeasurement): number {
  return median(succeeded(attempts).map((measured) => measured[field]))
}
