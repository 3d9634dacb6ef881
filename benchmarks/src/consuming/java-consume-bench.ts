import { cpus } from 'node:os'
import { OWN, OWN_SINGLE } from '../clients/registry.ts'
import { coresOf, medianOf, type PerClient } from '../comparison.ts'
import { PARTITIONS } from '../limits.ts'
import type { BrokerKind, Options } from '../options.ts'
import { sizeText } from '../producing/cases.ts'
import { withBroker } from '../producing/session.ts'
import { BROKER_THREADS, judgedUnless, limitOf } from '../producing/verdict.ts'
import type { Attempt } from '../run-client.ts'
import { javaConsume } from '../run-java.ts'
import { rotate } from '../statistics.ts'
import { digits, markdownTable, thousands, type Row } from '../table.ts'
import type { ConsumeMeasurement, Measurement } from '../workload.ts'
import { consumeOnce } from './consume-bench.ts'
import { modes } from './consume-tables.ts'
import { readingOf, withFilledTopic } from './filled-topic.ts'

const SIZES = [100, 1024]

/** Java needs more messages until its JIT is done; ConsumerPerformance has no warm-up of its own. */
const MESSAGES_FACTOR = 3

/** Size → who → one attempt per round. */
export type JavaConsumeResults = ReadonlyMap<number, PerClient<Measurement>>

/** Java's ConsumerPerformance and our consumer by turns on one broker, reading the same topic. */
export async function benchJavaConsume(
  kind: BrokerKind,
  options: Options,
  log: (line: string) => void,
): Promise<JavaConsumeResults> {
  const who = [OWN, OWN_SINGLE, 'java']
  const results = new Map<number, PerClient<Measurement>>()
  await withBroker(kind, 'all', async (session) => {
    for (const messageBytes of SIZES) {
      const perClient = new Map(who.map((name) => [name, [] as Attempt<Measurement>[]]))
      results.set(messageBytes, perClient)
      const filling = { topic: `j-${messageBytes}`, messageBytes, compression: 'none', partitions: PARTITIONS } as const
      const reading = readingOf(messageBytes, options.messages * MESSAGES_FACTOR)
      await withFilledTopic(session, filling, reading, async () => {
        for (let round = 0; round < options.rounds; round++) {
          for (const name of rotate(who, round)) {
            const { bootstrapServers } = session.broker
            const measured =
              name === 'java'
                ? await javaConsume({ ...filling, ...reading, bootstrapServers })
                : await consumeOnce(session, name, filling, reading)
            const text = typeof measured === 'string' ? `FAILED ${measured}` : `${thousands(measured.messagesPerSecond)}/s`
            log(`${kind} round ${round + 1} ${sizeText(messageBytes)} ${name}: ${text}`)
            perClient.get(name)!.push(measured)
          }
        }
      })
    }
  })
  return results
}

export function javaConsumeTable(results: JavaConsumeResults, kind: BrokerKind, cores: number = cpus().length): string {
  const rows = [...results].flatMap(([messageBytes, perClient]) => {
    const java = medianOf(perClient.get('java') ?? [], 'messagesPerSecond')
    return [...perClient].map(([client, attempts]): Row => {
      const rate = medianOf(attempts, 'messagesPerSecond')
      const cpu = digits(medianOf(attempts, 'cpuMicrosPerMessage'))
      if (client === 'java') return [`${sizeText(messageBytes)}, java`, thousands(rate), cpu, '1', '–']
      const load = coresOf(attempts as readonly Attempt<ConsumeMeasurement>[])
      const ratio = judgedUnless(limitOf(load, cores, BROKER_THREADS[kind]), rate / java, { least: 1 })
      return [`${sizeText(messageBytes)}, ${client}`, thousands(rate), cpu, ratio, load.brokerCores.toFixed(2)]
    })
  })
  const table = markdownTable(['size, client', 'messages/s', 'CPU µs/message', "÷ Java's rate, ≥ 1", 'broker, cores'], rows)
  return `${table}\n\n${modes([OWN, OWN_SINGLE])}`
}

/** What Java's consumer reads from the embedded broker, beside what it reads from the JVM's. */
export function consumeRatios(all: ReadonlyMap<BrokerKind, JavaConsumeResults>): string {
  const rows = SIZES.map((messageBytes): Row => {
    const [embedded, real] = (['embedded', 'real'] as const).map((kind) =>
      medianOf(all.get(kind)!.get(messageBytes)?.get('java') ?? [], 'messagesPerSecond'),
    )
    return [`consume ${sizeText(messageBytes)}`, thousands(embedded!), thousands(real!), digits(embedded! / real!)]
  })
  return markdownTable(["Java's ConsumerPerformance", 'embedded, messages/s', 'JVM, messages/s', 'ratio'], rows)
}
