import { isProducing, missingReason } from '../clients/registry.ts'
import type { BrokerKind, Options } from '../options.ts'
import type { Attempt } from '../run-client.ts'
import { rotate } from '../statistics.ts'
import { digits, thousands } from '../table.ts'
import type { ProduceMeasurement } from '../workload.ts'
import { caseText, type Case } from './cases.ts'
import { produceOnce, withBroker } from './session.ts'

/** Of one row: client → one attempt per round. */
export type CaseResults = Map<string, Attempt<ProduceMeasurement>[]>

/** Every row with every client, which take turns in each round. Clients that cannot run here are left out. */
export async function benchProduce(
  kind: BrokerKind,
  options: Options,
  log: (line: string) => void,
): Promise<Map<Case, CaseResults>> {
  const clients = options.clients.filter((client) => isProducing(client) && missingReason(client) === undefined)
  const results = new Map<Case, CaseResults>()
  await withBroker(kind, 'last', async (session) => {
    for (const one of options.cases) {
      const perClient: CaseResults = new Map(clients.map((client) => [client, []]))
      results.set(one, perClient)
      for (let round = 0; round < options.rounds; round++) {
        for (const client of rotate(clients, round)) {
          const measured = await produceOnce(session, { ...one, client, round, seconds: options.seconds })
          log(`${kind} round ${round + 1} ${caseText(one)} ${client}: ${describe(measured)}`)
          perClient.get(client)!.push(measured)
        }
      }
    }
  })
  return results
}

export function describe(measured: Attempt<ProduceMeasurement>): string {
  if (typeof measured === 'string') return `FAILED ${measured}`
  const { messagesPerSecond, cpuMicrosPerMessage, clientCores, brokerCores, loopDelayP99Ms } = measured
  const cores = `${clientCores.toFixed(2)} + ${brokerCores.toFixed(2)} cores`
  return `${thousands(messagesPerSecond)}/s, ${digits(cpuMicrosPerMessage)} µs, ${cores}, loop ${digits(loopDelayP99Ms)} ms`
}
