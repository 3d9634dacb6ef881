import { missingReason } from '../clients/registry.ts'
import type { PerClient } from '../comparison.ts'
import type { BrokerKind, Options } from '../options.ts'
import { caseText, type Case } from '../producing/cases.ts'
import { withBroker, type Session } from '../producing/session.ts'
import { runClient, type Attempt } from '../run-client.ts'
import { rotate } from '../statistics.ts'
import { digits, megabytes, thousands } from '../table.ts'
import type { ConsumeMeasurement } from '../workload.ts'
import { readingOf, withFilledTopic, type Filling, type Reading } from './filled-topic.ts'

/** Every row with every client, which take turns in each round. Clients that cannot run here are left out. */
export async function benchConsume(
  kind: BrokerKind,
  options: Options,
  log: (line: string) => void,
): Promise<Map<Case, PerClient<ConsumeMeasurement>>> {
  const clients = options.clients.filter((client) => client !== 'java' && missingReason(client) === undefined)
  const results = new Map<Case, PerClient<ConsumeMeasurement>>()
  await withBroker(kind, 'all', async (session) => {
    for (const one of options.cases) {
      const perClient = new Map(clients.map((client) => [client, [] as Attempt<ConsumeMeasurement>[]]))
      results.set(one, perClient)
      const filling = { ...one, topic: `c-${one.name}` }
      const reading = readingOf(one.messageBytes, options.messages)
      await withFilledTopic(session, filling, reading, async () => {
        for (let round = 0; round < options.rounds; round++) {
          for (const client of rotate(clients, round)) {
            const measured = await consumeOnce(session, client, filling, reading)
            log(`${kind} round ${round + 1} ${caseText(one)} ${client}: ${describe(measured)}`)
            perClient.get(client)!.push(measured)
          }
        }
      })
    }
  })
  return results
}

/** One client at full speed, in a group of its own. */
export function consumeOnce(
  { broker }: Session,
  client: string,
  filling: Filling,
  reading: Reading,
): Promise<Attempt<ConsumeMeasurement>> {
  const { topic, messageBytes, compression, partitions } = filling
  return runClient({
    kind: 'consume',
    client,
    topic,
    messageBytes,
    compression,
    partitions,
    ...reading,
    bootstrapServers: broker.bootstrapServers,
    brokerPid: broker.pid,
  })
}

export function describe(measured: Attempt<ConsumeMeasurement>): string {
  if (typeof measured === 'string') return `FAILED ${measured}`
  const { messagesPerSecond, cpuMicrosPerMessage, clientCores, brokerCores, peakRssBytes } = measured
  const cores = `${clientCores.toFixed(2)} + ${brokerCores.toFixed(2)} cores`
  return `${thousands(messagesPerSecond)}/s, ${digits(cpuMicrosPerMessage)} µs, ${cores}, ${megabytes(peakRssBytes)} MB`
}
