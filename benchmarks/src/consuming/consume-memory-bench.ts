import { join } from 'node:path'
import { startBroker } from '../brokers.ts'
import { missingReason, OWN } from '../clients/registry.ts'
import { BATCH_BYTES, CONSUME_MEMORY_LIMIT_MS, CONSUME_MEMORY_MESSAGES, CONSUME_MEMORY_SAMPLES, PARTITIONS } from '../limits.ts'
import { NODE_SETTINGS } from '../node-settings.ts'
import type { BrokerKind, Options } from '../options.ts'
import { judged } from '../producing/verdict.ts'
import { median } from '../statistics.ts'
import { markdownTable, megabytes, thousands, type Row } from '../table.ts'
import { connectTopics } from '../topics.ts'
import { runReporting, type Contained } from './container.ts'
import { fillTopic } from './fill.ts'
import type { MemoryPeaks } from './memory-watch.ts'
import { WAYS, type Reading } from './ways.ts'

/** What a process is to read. */
export interface MemoryWork extends Reading {
  /** Its place among `WAYS`. */
  readonly way: number
  readonly messages: number
  readonly sampleEvery: number
}

/** What such a process tells of itself, so far. */
export interface MemoryReport {
  /** Before the client was loaded. */
  readonly baselineBytes: number
  /** Resident memory after each `sampleEvery` messages. */
  readonly samples: readonly number[]
  readonly messages: number
  readonly messagesPerSecond: number
  readonly peaks: MemoryPeaks
}

export interface MemoryRun {
  readonly client: string
  readonly way: string
  readonly ended: Contained<MemoryReport>
}

const TOPIC = 'memory'
const MESSAGE_BYTES = 100
const GROWTH_MOST = 1.1

/** Samples around the tenth part and at the end: one alone would tell of the garbage collector's moment. */
const END_SAMPLES = 5

/** Whether a consumer grows over very many messages. */
export async function benchConsumeMemory(kind: BrokerKind, options: Options, log: (line: string) => void): Promise<string> {
  const messages = options.isQuick ? CONSUME_MEMORY_MESSAGES / CONSUME_MEMORY_SAMPLES : CONSUME_MEMORY_MESSAGES
  const broker = await startBroker(kind)
  try {
    const { bootstrapServers } = broker
    const topics = await connectTopics(bootstrapServers)
    await topics.create(TOPIC, PARTITIONS)
    await topics.close()
    const valueBytes = messages * MESSAGE_BYTES
    const plan = { bootstrapServers, topic: TOPIC, partitions: PARTITIONS, batchBytes: BATCH_BYTES, valueBytes }
    const filled = await fillTopic({ ...plan, contents: 'plain' })
    log(`${kind} consume-memory: ${thousands(filled.messages)} messages`)
    const reports: string[] = []
    for (const [title, nodeOptions] of NODE_SETTINGS) {
      // What the others do of it without the defaults is of no interest.
      const clients = nodeOptions.length === 0 ? options.clients : options.clients.filter((client) => client === OWN)
      if (clients.length === 0) continue
      const runs = await measureEach(clients, bootstrapServers, messages, nodeOptions, (line) =>
        log(`${kind} consume-memory, ${title}, ${line}`),
      )
      reports.push(`### ${title}\n\n${consumeMemoryReport(runs, messages)}`)
    }
    return reports.join('\n\n')
  } finally {
    await broker.stop()
  }
}

/** Each way of the clients in a process of its own. */
async function measureEach(
  clients: readonly string[],
  bootstrapServers: string,
  messages: number,
  nodeOptions: readonly string[],
  log: (line: string) => void,
): Promise<MemoryRun[]> {
  const runs: MemoryRun[] = []
  for (const [place, { client, way }] of WAYS.entries()) {
    if (!clients.includes(client) || missingReason(client) !== undefined) continue
    const sampleEvery = messages / CONSUME_MEMORY_SAMPLES
    const work: MemoryWork = { bootstrapServers, topic: TOPIC, partitions: PARTITIONS, way: place, messages, sampleEvery }
    const worker = join(import.meta.dirname, 'memory-worker.ts')
    const command = [process.execPath, ...nodeOptions, ...process.execArgv, worker, JSON.stringify(work)]
    const ended = await runReporting<MemoryReport>(command, CONSUME_MEMORY_LIMIT_MS)
    log(`${client} ${way}: ${(ended.last?.samples ?? []).map(megabytes).join(' ')} MB`)
    runs.push({ client, way, ended })
  }
  return runs
}

export function consumeMemoryReport(runs: readonly MemoryRun[], messages: number): string {
  const tenth = `after ${thousands(messages / 10)}, MB`
  const head = ['client', 'way', 'messages/s', 'at first, MB', tenth, `after ${thousands(messages)}, MB`, 'last ÷ tenth', 'highest sample ÷ tenth', 'peak, MB', 'heap, MB', 'external, MB'] // prettier-ignore
  const table = markdownTable(
    head,
    runs.map((run) => rowOf(run, messages)),
  )
  return `${table}\n\n${thousands(messages)} messages of ${MESSAGE_BYTES} B from ${PARTITIONS} partitions; each client in a process of its own, as it comes. Resident memory is read every ${thousands(messages / CONSUME_MEMORY_SAMPLES)}
messages; a figure is the median of ${END_SAMPLES} of these, those up to the tenth part of all and the last ones. ≤ ${GROWTH_MOST} was wanted of Millrace. In all of these is what strips the types of the
benchmark's own TypeScript (about 17 MB), which a user does not have.`
}

function rowOf({ client, way, ended }: MemoryRun, messages: number): Row {
  const { last } = ended
  if (last === null || last.messages < messages)
    return [client, `${way}: ${ended.isLate ? 'not done in time' : 'failed'}`, ...Array.from({ length: 9 }, () => '–')]
  const { samples, peaks } = last
  const tenthPart = Math.ceil(samples.length / 10)
  const tenth = median(samples.slice(Math.max(0, tenthPart - END_SAMPLES), tenthPart))
  const end = median(samples.slice(-END_SAMPLES))
  return [
    client,
    way,
    thousands(last.messagesPerSecond),
    megabytes(last.baselineBytes),
    megabytes(tenth),
    megabytes(end),
    judged(end / tenth, { most: GROWTH_MOST }),
    judged(Math.max(...samples.slice(tenthPart)) / tenth, { most: GROWTH_MOST }),
    megabytes(peaks.rss),
    megabytes(peaks.heap),
    megabytes(peaks.external),
  ]
}
