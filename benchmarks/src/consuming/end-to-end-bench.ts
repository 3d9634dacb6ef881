import { missingReason } from '../clients/registry.ts'
import { BATCH_BYTES, END_TO_END_MESSAGES, END_TO_END_PER_SECOND, END_TO_END_WARMUP_MESSAGES } from '../limits.ts'
import type { BrokerKind, Options } from '../options.ts'
import { latencyTable, type LatencyResults } from '../producing/latency-bench.ts'
import { withBroker, withTopic } from '../producing/session.ts'
import { runClient } from '../run-client.ts'
import { rotate } from '../statistics.ts'
import { digits, thousands } from '../table.ts'
import { modes } from './consume-tables.ts'

const MESSAGE_BYTES = 100

/** From the call of the producer to the consumer's handler, at an even rate: p50 and p99 of each client, which take turns in each round. */
export async function benchEndToEnd(kind: BrokerKind, options: Options, log: (line: string) => void): Promise<string> {
  const requested = options.clients.filter((client) => client !== 'java')
  const clients = requested.filter((client) => missingReason(client) === undefined)
  const share = options.isQuick ? 0.1 : 1
  const results: LatencyResults = new Map(clients.map((client) => [client, []]))
  await withBroker(kind, 'last', async (session) => {
    for (let round = 0; round < options.rounds; round++) {
      for (const client of rotate(clients, round)) {
        const topic = `end-to-end-${client}-${round}`
        const measured = await withTopic(session, topic, 1, () =>
          runClient({
            kind: 'end-to-end',
            client,
            topic,
            partitions: 1,
            messageBytes: MESSAGE_BYTES,
            compression: 'none',
            bootstrapServers: session.broker.bootstrapServers,
            lingerMs: 0,
            batchBytes: BATCH_BYTES,
            messagesPerSecond: END_TO_END_PER_SECOND,
            warmupMessages: END_TO_END_WARMUP_MESSAGES * share,
            messages: END_TO_END_MESSAGES * share,
          }),
        )
        const text =
          typeof measured === 'string'
            ? `FAILED ${measured}`
            : `p50 ${digits(measured.p50Ms)} ms, p99 ${digits(measured.p99Ms)} ms`
        log(`${kind} round ${round + 1} end to end ${client}: ${text}`)
        results.get(client)!.push(measured)
      }
    }
  })
  const note = `${thousands(END_TO_END_PER_SECOND)} messages/s of ${MESSAGE_BYTES} B, one partition, acks all, linger 0 for those that have one; producer and consumer in one process.`
  return `${latencyTable(results)}\n\n${note}\n\n${modes(requested)}`
}
