import { OWN } from '../clients/registry.ts'
import { BATCH_BYTES, LINGER_MS, MEMORY_MESSAGES, MEMORY_SAMPLES, PARTITIONS } from '../limits.ts'
import { NODE_SETTINGS } from '../node-settings.ts'
import type { BrokerKind, Options } from '../options.ts'
import { runClient, type Attempt } from '../run-client.ts'
import { median } from '../statistics.ts'
import { markdownTable, megabytes, thousands } from '../table.ts'
import type { MemoryMeasurement } from '../workload.ts'
import { withBroker, withTopic, type Session } from './session.ts'
import { isReached, judged } from './verdict.ts'

const MESSAGE_BYTES = 100
const MIB = 1024 * 1024

/** Java's default `buffer.memory`, which is the producer's, and what was allowed above it. */
const ALLOWED_BYTES = 32 * MIB + 80 * MIB
const GROWTH_MOST = 1.1

/** Samples at either end that stand for the beginning and the end: one alone would tell of the garbage collector's moment. */
const END_SAMPLES = 5

/** Whether the process grows over very many messages. */
export async function benchMemory(kind: BrokerKind, options: Options, log: (line: string) => void): Promise<string> {
  const messages = options.isQuick ? MEMORY_MESSAGES / MEMORY_SAMPLES : MEMORY_MESSAGES
  return withBroker(kind, 'last', async (session) => {
    const reports: string[] = []
    for (const [title, nodeOptions] of NODE_SETTINGS) {
      const measured = await measure(session, messages, nodeOptions)
      if (typeof measured === 'string') throw new Error(`the memory section failed: ${measured}`)
      log(`memory, ${title}: ${measured.samples.map(megabytes).join(' ')} MB`)
      reports.push(`### ${title}\n\n${memoryReport(measured, messages)}`)
    }
    return reports.join('\n\n')
  })
}

function measure(session: Session, messages: number, nodeOptions: readonly string[]): Promise<Attempt<MemoryMeasurement>> {
  const topic = `memory-${nodeOptions.length}`
  return withTopic(session, topic, PARTITIONS, () =>
    runClient(
      {
        kind: 'memory',
        client: OWN,
        topic,
        partitions: PARTITIONS,
        messageBytes: MESSAGE_BYTES,
        compression: 'none',
        lingerMs: LINGER_MS,
        batchBytes: BATCH_BYTES,
        bootstrapServers: session.broker.bootstrapServers,
        messages,
        sampleEvery: messages / MEMORY_SAMPLES,
      },
      nodeOptions,
    ),
  )
}

export function memoryReport(measured: MemoryMeasurement, messages: number): string {
  const { baselineBytes, samples, peakRssBytes, messagesPerSecond } = measured
  const first = median(samples.slice(0, END_SAMPLES))
  const last = median(samples.slice(-END_SAMPLES))
  const rows = [
    ['before the first message, MB', megabytes(baselineBytes), ''],
    [`over the first ${END_SAMPLES} samples, MB`, megabytes(first), ''],
    [`over the last ${END_SAMPLES} samples, MB`, megabytes(last), ''],
    ['last ÷ first', judged(last / first, { most: GROWTH_MOST }), `≤ ${GROWTH_MOST}`],
    ['highest sample ÷ first', judged(Math.max(...samples) / first, { most: GROWTH_MOST }), `≤ ${GROWTH_MOST}`],
    ['peak of the whole process, MB', within(peakRssBytes), `≤ ${megabytes(ALLOWED_BYTES)}`],
    ['peak above what was there before, MB', within(peakRssBytes - baselineBytes), `≤ ${megabytes(ALLOWED_BYTES)}`],
  ]
  const table = markdownTable([`resident memory, ${thousands(messages)} messages`, 'measured', 'wanted'], rows)
  const all = samples.map(megabytes).join(' ')
  return `${table}\n\n\`sendAll\`, ${MESSAGE_BYTES} B, ${PARTITIONS} partitions, ${thousands(messagesPerSecond)} messages/s; \`bufferMemory\` 32 MiB. Every ${thousands(messages / MEMORY_SAMPLES)} messages, in MB: ${all}.
In all of these is what strips the types of the benchmark's own TypeScript (about 17 MB), which a user does not have.`
}

function within(bytes: number): string {
  return `${megabytes(bytes)} ${isReached(bytes, { most: ALLOWED_BYTES }) ? '✓' : '✗'}`
}
