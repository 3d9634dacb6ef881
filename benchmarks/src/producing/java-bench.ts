import { cpus } from 'node:os'
import { OWN, OWN_SINGLE } from '../clients/registry.ts'
import { PARTITIONS } from '../limits.ts'
import type { BrokerKind, Options } from '../options.ts'
import { succeeded, type Attempt } from '../run-client.ts'
import { javaProduce } from '../run-java.ts'
import { median, rotate } from '../statistics.ts'
import { digits, markdownTable, thousands, type Row } from '../table.ts'
import type { Measurement, ProduceMeasurement } from '../workload.ts'
import { sizeText } from './cases.ts'
import { produceOnce, withBroker, withTopic, type Session } from './session.ts'
import { BROKER_THREADS, judgedUnless, limitOf } from './verdict.ts'

/** Java's messages, and how many go first: about three seconds' worth and one, which its JIT needs. */
const SIZES = [
  { messageBytes: 100, messages: 2_000_000, warmupMessages: 500_000 },
  { messageBytes: 1024, messages: 500_000, warmupMessages: 125_000 },
]

export type JavaSize = (typeof SIZES)[number]

/** Size → who → one attempt per round. */
export type JavaResults = ReadonlyMap<number, ReadonlyMap<string, Attempt<Measurement>[]>>

/** Java's ProducerPerformance and our producer by turns on one broker. */
export async function benchJava(kind: BrokerKind, options: Options, log: (line: string) => void): Promise<JavaResults> {
  const who = [OWN, OWN_SINGLE, 'java']
  const results = new Map(
    SIZES.map(({ messageBytes }) => [messageBytes, new Map(who.map((name) => [name, [] as Attempt<Measurement>[]]))]),
  )
  await withBroker(kind, 'last', async (session) => {
    for (const size of SIZES) {
      for (let round = 0; round < options.rounds; round++) {
        for (const name of rotate(who, round)) {
          const load = {
            client: name,
            messageBytes: size.messageBytes,
            compression: 'none',
            partitions: PARTITIONS,
            round,
          } as const
          const measured =
            name === 'java'
              ? await javaOnce(session, size, round, options.isQuick)
              : await produceOnce(session, { ...load, seconds: options.seconds })
          const text = typeof measured === 'string' ? `FAILED ${measured}` : `${thousands(measured.messagesPerSecond)}/s`
          log(`${kind} round ${round + 1} ${sizeText(size.messageBytes)} ${name}: ${text}`)
          results.get(size.messageBytes)!.get(name)!.push(measured)
        }
      }
    }
  })
  return results
}

function javaOnce(session: Session, size: JavaSize, round: number, isQuick: boolean): Promise<Attempt<Measurement>> {
  const topic = `java-${size.messageBytes}-${round}`
  const share = isQuick ? 0.1 : 1
  return withTopic(session, topic, PARTITIONS, () =>
    javaProduce({
      topic,
      bootstrapServers: session.broker.bootstrapServers,
      messageBytes: size.messageBytes,
      messages: size.messages * share,
      warmupMessages: size.warmupMessages * share,
    }),
  )
}

export function javaTable(results: JavaResults, kind: BrokerKind, cores: number = cpus().length): string {
  const rows = [...results].flatMap(([messageBytes, perClient]) => {
    const java = rateOf(results, messageBytes, 'java')
    return [...perClient].map(([client, attempts]): Row => {
      const measured = succeeded(attempts)
      const rate = rateOf(results, messageBytes, client)
      const cpu = digits(median(measured.map(({ cpuMicrosPerMessage }) => cpuMicrosPerMessage)))
      if (client === 'java') return [`${sizeText(messageBytes)}, java`, thousands(rate), cpu, '1', '–']
      const load = measured as ProduceMeasurement[]
      const brokerCores = median(load.map((one) => one.brokerCores))
      const limit = limitOf({ clientCores: median(load.map((one) => one.clientCores)), brokerCores }, cores, BROKER_THREADS[kind])
      const ratio = judgedUnless(limit, rate / java, { least: 1 })
      return [`${sizeText(messageBytes)}, ${client}`, thousands(rate), cpu, ratio, brokerCores.toFixed(2)]
    })
  })
  return markdownTable(['size, client', 'messages/s', 'CPU µs/message', "÷ Java's rate, ≥ 1", 'broker, cores'], rows)
}

/** The median rate of one client; NaN when it was not measured. */
export function rateOf(results: JavaResults, messageBytes: number, client: string): number {
  return median(succeeded(results.get(messageBytes)?.get(client) ?? []).map(({ messagesPerSecond }) => messagesPerSecond))
}

/** What the embedded broker takes from Java's producer, beside what the JVM's takes. */
export function brokerRatios(all: ReadonlyMap<BrokerKind, JavaResults>): string {
  const rows = SIZES.map(({ messageBytes }): Row => {
    const embedded = rateOf(all.get('embedded')!, messageBytes, 'java')
    const real = rateOf(all.get('real')!, messageBytes, 'java')
    return [
      `produce ${sizeText(messageBytes)}`,
      thousands(embedded),
      thousands(real),
      digits(embedded / real),
      messageBytes === 100 ? '≥ 0.5' : '',
    ]
  })
  return markdownTable(["Java's ProducerPerformance", 'embedded, messages/s', 'JVM, messages/s', 'ratio', 'wanted'], rows)
}
