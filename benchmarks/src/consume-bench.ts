import { missingReason, OWN } from './clients/registry.ts'
import { CHUNK_MESSAGES, PARTITIONS, WARMUP_SHARE } from './limits.ts'
import type { BrokerKind, Options } from './options.ts'
import { sizeText } from './producing/cases.ts'
import { withBroker } from './producing/session.ts'
import { runClient, succeeded, type Attempt } from './run-client.ts'
import { javaConsume, javaProduce, type JavaWorkload } from './run-java.ts'
import { median, rotate } from './statistics.ts'
import { digits, markdownTable, megabytes, thousands, type Row } from './table.ts'
import type { Measurement } from './workload.ts'

const SIZES = [100, 1024]

/** `100 B` → client → one attempt per round. */
export type ConsumeResults = ReadonlyMap<string, ReadonlyMap<string, readonly Attempt<Measurement>[]>>

/** Each client reads topics that Java has filled, in turns. Those that cannot run here are left out. */
export async function benchConsume(kind: BrokerKind, options: Options, log: (line: string) => void): Promise<ConsumeResults> {
  const clients = options.clients.filter((client) => missingReason(client) === undefined)
  const results = new Map<string, Map<string, Attempt<Measurement>[]>>()
  await withBroker(kind, 'all', async ({ broker, topics }) => {
    for (const messageBytes of SIZES) {
      const topic = `filled-${messageBytes}`
      const workload = { ...sizeOf(messageBytes, options.messages), bootstrapServers: broker.bootstrapServers, topic }
      await topics.create(topic, PARTITIONS)
      const filled = await javaProduce(workload)
      if (typeof filled === 'string') throw new Error(filled)
      const perClient = new Map(clients.map((client) => [client, [] as Attempt<Measurement>[]]))
      results.set(sizeText(messageBytes), perClient)
      for (let round = 0; round < options.rounds; round++) {
        for (const client of rotate(clients, round)) {
          const measured =
            client === 'java'
              ? await javaConsume(workload)
              : await runClient({ ...workload, client, kind: 'consume', partitions: PARTITIONS })
          log(`${kind} round ${round + 1} consume ${sizeText(messageBytes)} ${client}: ${describe(measured)}`)
          perClient.get(client)!.push(measured)
        }
      }
      await topics.remove(topic)
    }
  })
  return results
}

/** One table for each size, with the ratios of Millrace to every other client. */
export function consumeTables(results: ConsumeResults): string {
  return [...results].map(([size, perClient]) => `### consume ${size}\n\n${tableOf(perClient)}`).join('\n\n')
}

/** What Java's consumer reads from the embedded broker, beside what it reads from the JVM's. */
export function consumeRatios(all: ReadonlyMap<BrokerKind, ConsumeResults>): string {
  const rows = SIZES.map((bytes): Row => {
    const [embedded, real] = (['embedded', 'real'] as const).map((kind) =>
      medianOf(succeeded(all.get(kind)!.get(sizeText(bytes))?.get('java') ?? []), 'messagesPerSecond'),
    )
    return [`consume ${sizeText(bytes)}`, thousands(embedded!), thousands(real!), digits(embedded! / real!)]
  })
  return markdownTable(["Java's ConsumerPerformance", 'embedded, messages/s', 'JVM, messages/s', 'ratio'], rows)
}

function tableOf(perClient: ReadonlyMap<string, readonly Attempt<Measurement>[]>): string {
  const head = ['client', 'messages/s', 'CPU µs/message', 'peak RSS MB', "Millrace's rate ÷ its", "its CPU ÷ Millrace's"]
  const own = succeeded(perClient.get(OWN) ?? [])
  const rows = [...perClient].map(([client, attempts]): Row => {
    const measured = succeeded(attempts)
    if (measured.length === 0) return [client, 'failed', '–', '–', '–', '–']
    const rate = medianOf(measured, 'messagesPerSecond')
    const cpu = medianOf(measured, 'cpuMicrosPerMessage')
    return [
      measured.length === attempts.length
        ? client
        : `${client} (${attempts.length - measured.length} of ${attempts.length} runs failed)`,
      thousands(rate),
      digits(cpu),
      megabytes(medianOf(measured, 'peakRssBytes')),
      digits(medianOf(own, 'messagesPerSecond') / rate),
      digits(cpu / medianOf(own, 'cpuMicrosPerMessage')),
    ]
  })
  return markdownTable(head, rows)
}

function medianOf(measured: readonly Measurement[], field: keyof Measurement): number {
  return median(measured.map((one) => one[field]))
}

function describe(measured: Attempt<Measurement>): string {
  if (typeof measured === 'string') return `FAILED ${measured}`
  return `${thousands(measured.messagesPerSecond)}/s, ${digits(measured.cpuMicrosPerMessage)} µs, ${megabytes(measured.peakRssBytes)} MB`
}

function sizeOf(messageBytes: number, messages: number): Pick<JavaWorkload, 'messageBytes' | 'messages' | 'warmupMessages'> {
  const scaled = messageBytes >= 1024 ? messages / 4 : messages
  const whole = Math.max(1, Math.round(scaled / CHUNK_MESSAGES)) * CHUNK_MESSAGES
  const warmup = Math.max(1, Math.round((whole * WARMUP_SHARE) / CHUNK_MESSAGES)) * CHUNK_MESSAGES
  return { messageBytes, messages: whole, warmupMessages: warmup }
}
