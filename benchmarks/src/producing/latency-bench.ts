import { isPeer, isProducing, missingReason, OWN_SINGLE } from '../clients/registry.ts'
import { BATCH_BYTES, LATENCY_MESSAGES, LATENCY_WARMUP_MESSAGES } from '../limits.ts'
import type { BrokerKind, Options } from '../options.ts'
import { runClient, succeeded, type Attempt } from '../run-client.ts'
import { median, rotate } from '../statistics.ts'
import { digits, markdownTable, type Row } from '../table.ts'
import type { LatencyMeasurement } from '../workload.ts'
import { modes } from './produce-tables.ts'
import { withBroker, withTopic } from './session.ts'
import { judged } from './verdict.ts'

const MESSAGE_BYTES = 100

export type LatencyResults = Map<string, Attempt<LatencyMeasurement>[]>

/** One awaited message after another: p50 and p99 of each client, which take turns in each round. */
export async function benchLatency(kind: BrokerKind, options: Options, log: (line: string) => void): Promise<string> {
  // A single record is sent with `send`, whichever way many are sent.
  const requested = options.clients.filter((client) => isProducing(client) && client !== OWN_SINGLE)
  const clients = requested.filter((client) => missingReason(client) === undefined)
  const results: LatencyResults = new Map(clients.map((client) => [client, []]))
  await withBroker(kind, 'last', async (session) => {
    for (let round = 0; round < options.rounds; round++) {
      for (const client of rotate(clients, round)) {
        const topic = `latency-${client}-${round}`
        const measured = await withTopic(session, topic, 1, () =>
          runClient({
            kind: 'latency',
            client,
            topic,
            partitions: 1,
            messageBytes: MESSAGE_BYTES,
            compression: 'none',
            lingerMs: 0,
            batchBytes: BATCH_BYTES,
            bootstrapServers: session.broker.bootstrapServers,
            warmupMessages: LATENCY_WARMUP_MESSAGES,
            messages: options.isQuick ? LATENCY_MESSAGES / 10 : LATENCY_MESSAGES,
          }),
        )
        const text =
          typeof measured === 'string' ? `FAILED ${measured}` : `p50 ${digits(measured.p50Ms)}, p99 ${digits(measured.p99Ms)} ms`
        log(`${kind} round ${round + 1} one at a time ${client}: ${text}`)
        results.get(client)!.push(measured)
      }
    }
  })
  return `${latencyTable(results)}\n\n${NOTE}\n\n${modes(requested, 'one')}`
}

const NOTE = `${LATENCY_MESSAGES} messages of ${MESSAGE_BYTES} B to one partition in each round, after ${LATENCY_WARMUP_MESSAGES}; each is acknowledged before the next is sent. Linger 0 for those that have one.`

export function latencyTable(results: LatencyResults): string {
  const values = [...results].map(([client, attempts]) => {
    const measured = succeeded(attempts)
    return { client, p50: median(measured.map(({ p50Ms }) => p50Ms)), p99: median(measured.map(({ p99Ms }) => p99Ms)) }
  })
  const peers = values.filter(({ client, p50 }) => isPeer(client) && Number.isFinite(p50))
  const best = { p50: Math.min(...peers.map(({ p50 }) => p50)), p99: Math.min(...peers.map(({ p99 }) => p99)) }
  const rows = values.map(({ client, p50, p99 }): Row => {
    const wanted = isPeer(client) ? undefined : { most: 1 }
    const ratio = (value: number, least: number): string => {
      if (!Number.isFinite(value / least)) return '–'
      return wanted === undefined ? digits(value / least) : judged(value / least, wanted)
    }
    return [client, digits(p50), digits(p99), ratio(p50, best.p50), ratio(p99, best.p99)]
  })
  return markdownTable(['client', 'p50 ms', 'p99 ms', 'p50 ÷ best peer, ≤ 1', 'p99 ÷ best peer, ≤ 1'], rows)
}
