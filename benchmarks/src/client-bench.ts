import { Kafka, logLevel } from 'kafkajs'
import { startBroker } from './brokers.ts'
import { CHUNK_MESSAGES, PARTITIONS, WARMUP_SHARE } from './limits.ts'
import type { BrokerKind, Options } from './options.ts'
import { runClient } from './run-client.ts'
import { digits, markdownTable, median, megabytes, thousands, type Row } from './table.ts'
import type { Measurement, Workload } from './workload.ts'

const SIZES = [100, 1024] as const
const KINDS = ['produce', 'consume'] as const

/** `produce 100 B` → client → one measurement per round; a failed run is its message. */
export type Results = Map<string, Map<string, (Measurement | string)[]>>

export async function benchClients(kind: BrokerKind, options: Options, log: (line: string) => void): Promise<Results> {
  const broker = await startBroker(kind)
  const results: Results = new Map()
  try {
    const helper = await connectHelper(broker.bootstrapServers)
    for (const messageBytes of SIZES) {
      const size = sizeOf(messageBytes, options.messages)
      const filled = `filled-${messageBytes}`
      await helper.create(filled)
      await runClient({ ...size, client: 'java', kind: 'produce', bootstrapServers: broker.bootstrapServers, topic: filled })
      for (let round = 0; round < options.rounds; round++) {
        for (const client of rotate(options.clients, round)) {
          for (const what of KINDS) {
            const name = `${what} ${messageBytes === 1024 ? '1 KiB' : `${messageBytes} B`}`
            if (client === 'millrace-records' && what === 'produce') continue // it differs from millrace in consuming only
            const topic = what === 'consume' ? filled : `p-${messageBytes}-${client}-${round}`
            if (what === 'produce') await helper.create(topic)
            const workload = { ...size, client, kind: what, bootstrapServers: broker.bootstrapServers, topic }
            const measured = await runClient(workload).catch((error: unknown) => String(error))
            if (what === 'produce') await helper.remove(topic)
            log(`${kind} round ${round + 1} ${name} ${client}: ${describe(measured)}`)
            const perClient = results.get(name) ?? new Map<string, (Measurement | string)[]>()
            results.set(name, perClient.set(client, [...(perClient.get(client) ?? []), measured]))
          }
        }
      }
      await helper.remove(filled)
    }
    await helper.close()
    return results
  } finally {
    await broker.stop()
  }
}

/** One table for each kind of work and size, with the ratios of Millrace to every other client. */
export function clientTables(results: Results): string {
  return [...results].map(([name, perClient]) => `### ${name}\n\n${tableOf(perClient)}`).join('\n\n')
}

/** The median rate of one client, for ratios across brokers. */
export function medianRate(results: Results, name: string, client: string): number {
  return medianOf(measurementsOf(results.get(name)?.get(client) ?? []), 'messagesPerSecond')
}

function tableOf(perClient: ReadonlyMap<string, (Measurement | string)[]>): string {
  const head = [
    'client',
    'messages/s',
    'CPU µs/message',
    'peak RSS MB',
    'ack p50 ms',
    'ack p99 ms',
    "Millrace's rate ÷ its",
    "its CPU ÷ Millrace's",
  ]
  const own = measurementsOf(perClient.get('millrace') ?? [])
  const rows = [...perClient].map(([client, runs]): Row => {
    const measured = measurementsOf(runs)
    if (measured.length === 0) return [client, 'failed', '–', '–', '–', '–', '–', '–']
    const rate = medianOf(measured, 'messagesPerSecond')
    const cpu = medianOf(measured, 'cpuMicrosPerMessage')
    return [
      measured.length === runs.length ? client : `${client} (${runs.length - measured.length} of ${runs.length} runs failed)`,
      thousands(rate),
      digits(cpu),
      megabytes(medianOf(measured, 'peakRssBytes')),
      digits(medianOf(measured, 'callP50Ms')),
      digits(medianOf(measured, 'callP99Ms')),
      digits(medianOf(own, 'messagesPerSecond') / rate),
      digits(cpu / medianOf(own, 'cpuMicrosPerMessage')),
    ]
  })
  return markdownTable(head, rows)
}

function measurementsOf(runs: readonly (Measurement | string)[]): Measurement[] {
  return runs.filter((run) => typeof run !== 'string')
}

function medianOf(measured: readonly Measurement[], field: keyof Measurement): number {
  return median(measured.map((one) => one[field] ?? Number.NaN))
}

function describe(measured: Measurement | string): string {
  if (typeof measured === 'string') return `FAILED ${measured}`
  return `${thousands(measured.messagesPerSecond)}/s, ${digits(measured.cpuMicrosPerMessage)} µs, ${megabytes(measured.peakRssBytes)} MB`
}

function sizeOf(messageBytes: number, messages: number): Pick<Workload, 'messageBytes' | 'messages' | 'warmupMessages'> {
  const scaled = messageBytes >= 1024 ? messages / 4 : messages
  const whole = Math.max(1, Math.round(scaled / CHUNK_MESSAGES)) * CHUNK_MESSAGES
  const warmup = Math.max(1, Math.round((whole * WARMUP_SHARE) / CHUNK_MESSAGES)) * CHUNK_MESSAGES
  return { messageBytes, messages: whole, warmupMessages: warmup }
}

/** Every client has each place in the order in turn, so that none is always the one after Java. */
function rotate(clients: readonly string[], by: number): string[] {
  return clients.map((_, index) => clients[(index + by) % clients.length]!)
}

interface Helper {
  create(topic: string): Promise<void>
  remove(topic: string): Promise<void>
  close(): Promise<void>
}

/** Creates and deletes topics outside what is measured, and waits until the broker's group coordinator answers. */
async function connectHelper(bootstrapServers: string): Promise<Helper> {
  const admin = new Kafka({ clientId: 'bench-helper', brokers: [bootstrapServers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  for (let attempt = 1; ; attempt++) {
    try {
      await admin.fetchOffsets({ groupId: 'bench-warm-up' })
      break
    } catch (error) {
      if (attempt === 10) throw error
    }
  }
  return {
    create: async (topic) => {
      await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 1 }], waitForLeaders: true })
    },
    remove: (topic) => admin.deleteTopics({ topics: [topic] }),
    close: () => admin.disconnect(),
  }
}
