import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { startBroker } from '../brokers.ts'
import { missingReason } from '../clients/registry.ts'
import {
  BACKLOG_BATCH_BYTES,
  BACKLOG_BYTES_PER_SECOND,
  BACKLOG_LIMIT_MS,
  BACKLOG_PARTITIONS,
  BACKLOG_QUICK_VALUE_BYTES,
  BACKLOG_VALUE_BYTES,
  CONTAINER_BYTES,
} from '../limits.ts'
import type { BrokerKind, Options } from '../options.ts'
import { markdownTable, megabytes, type Row } from '../table.ts'
import { connectTopics } from '../topics.ts'
import { openContainer, runReporting, type Contained } from './container.ts'
import { fillTopic } from './fill.ts'
import type { MemoryPeaks } from './memory-watch.ts'
import { WAYS, type Reading } from './ways.ts'

/** What a process is to read. */
export interface BacklogWork extends Reading {
  /** Its place among `WAYS`. */
  readonly way: number
  readonly messages: number
  readonly bytesPerSecond: number
}

/** What such a process tells of itself, so far. */
export interface BacklogReport {
  readonly messages: number
  /** Of values. */
  readonly bytes: number
  readonly peaks: MemoryPeaks
}

/** How one way ended. */
export interface BacklogRun {
  readonly client: string
  readonly way: string
  readonly ended: Contained<BacklogReport>
  /** Of the container; null without one, or where that is not told. */
  readonly peakBytes: number | null
  readonly kills: number | null
}

export interface Backlog {
  readonly messages: number
  readonly valueBytes: number
  readonly storedBytes: number
  /** What set the limit, or why there was none. */
  readonly container: { readonly kind: string } | { readonly reason: string }
  readonly runs: readonly BacklogRun[]
}

const TOPIC = 'backlog'

/** Whether a consumer lives in a container of 512 MB while its handlers are slower than what a broker brings. */
export async function benchBacklog(kind: BrokerKind, options: Options, log: (line: string) => void): Promise<string> {
  const broker = await startBroker(kind)
  try {
    const { bootstrapServers, dataDir } = broker
    const topics = await connectTopics(bootstrapServers)
    await topics.create(TOPIC, BACKLOG_PARTITIONS)
    await topics.close()
    const filled = await fillTopic({
      bootstrapServers,
      topic: TOPIC,
      partitions: BACKLOG_PARTITIONS,
      batchBytes: BACKLOG_BATCH_BYTES,
      contents: 'mixed',
      valueBytes: options.isQuick ? BACKLOG_QUICK_VALUE_BYTES : BACKLOG_VALUE_BYTES,
    })
    const storedBytes = dataDir === undefined ? Number.NaN : logBytes(dataDir)
    log(`${kind} backlog: ${filled.messages} messages, ${megabytes(filled.valueBytes)} MB in ${megabytes(storedBytes)} MB`)
    const probe = openContainer(CONTAINER_BYTES)
    if ('close' in probe) await probe.close()
    else log(`no container: ${probe.reason}`)
    const runs: BacklogRun[] = []
    for (const [way, { client }] of WAYS.entries()) {
      if (!options.clients.includes(client) || missingReason(client) !== undefined) continue
      const run = await readOnce({
        bootstrapServers,
        topic: TOPIC,
        partitions: BACKLOG_PARTITIONS,
        way,
        messages: filled.messages,
        bytesPerSecond: BACKLOG_BYTES_PER_SECOND,
      })
      log(`${kind} backlog ${client} ${run.way}: ${cellsOf(run, filled.messages).slice(2).join(', ')}`)
      runs.push(run)
    }
    return backlogReport({ ...filled, storedBytes, container: probe, runs })
  } finally {
    await broker.stop()
  }
}

/** In a container of its own, with what Node has by default. */
async function readOnce(work: BacklogWork): Promise<BacklogRun> {
  const { client, way } = WAYS[work.way]!
  const container = openContainer(CONTAINER_BYTES)
  const command = [process.execPath, ...process.execArgv, join(import.meta.dirname, 'backlog-worker.ts'), JSON.stringify(work)]
  if ('reason' in container) {
    const ended = await runReporting<BacklogReport>(command, BACKLOG_LIMIT_MS)
    return { client, way, ended, peakBytes: null, kills: null }
  }
  try {
    const ended = await runReporting<BacklogReport>(container.wrap(command), BACKLOG_LIMIT_MS)
    return { client, way, ended, peakBytes: container.peakBytes(), kills: container.kills() }
  } finally {
    await container.close()
  }
}

export function backlogReport({ messages, valueBytes, storedBytes, container, runs }: Backlog): string {
  const head = ['client', 'way', 'outcome', 'read, MB of values', 's', 'peak RSS MB', 'of the container MB', 'heap MB', 'external MB', 'array buffers MB'] // prettier-ignore
  const table = markdownTable(
    head,
    runs.map((run) => cellsOf(run, messages)),
  )
  const limit =
    'kind' in container
      ? `Each process was in a container of ${megabytes(CONTAINER_BYTES)} MB of its own (${container.kind}), the page cache of its files included, without swap.`
      : `**There was no container**, as the limit could not be set here (${container.reason}): peak RSS is to be compared with ${megabytes(CONTAINER_BYTES)} MB, and nothing was ended for exceeding it.`
  return `${table}\n\n${messages} messages of 100 B to 100 KiB in ${BACKLOG_PARTITIONS} partitions: ${megabytes(valueBytes)} MB of values, ${megabytes(storedBytes)} MB in the log; a third of the partitions
without compression, a third LZ4, a third Zstandard, of which an eighth is one byte over and over. The handlers of a process let ${megabytes(BACKLOG_BYTES_PER_SECOND)} MB/s of values
through and sleep when they are ahead. ${limit} In all of these is what strips the types of the benchmark's own TypeScript
(about 17 MB), which a user does not have.`
}

function cellsOf({ client, way, ended, peakBytes, kills }: BacklogRun, messages: number): Row {
  const { last, seconds } = ended
  const peaks = last?.peaks
  return [
    client,
    way,
    outcomeOf(ended, kills, messages),
    megabytes(last?.bytes ?? Number.NaN),
    seconds.toFixed(0),
    megabytes(peaks?.rss ?? Number.NaN),
    megabytes(peakBytes ?? Number.NaN),
    megabytes(peaks?.heap ?? Number.NaN),
    megabytes(peaks?.external ?? Number.NaN),
    megabytes(peaks?.arrayBuffers ?? Number.NaN),
  ]
}

/** In words for a table. */
export function outcomeOf(ended: Contained<BacklogReport>, kills: number | null, messages: number): string {
  const read = ended.last?.messages ?? 0
  if (kills !== null && kills > 0) return 'out of memory ✗'
  if (ended.isLate) return `not done in ${BACKLOG_LIMIT_MS / 1000} s`
  if (ended.exitCode === 0 && read >= messages) return read === messages ? 'all read ✓' : `all read ✓, ${read - messages} again`
  if (ended.signal !== null || (ended.exitCode ?? 0) > 128) return 'killed ✗'
  return `failed: ${ended.stderr.trim().split('\n').at(-1)!.slice(0, 120)}`
}

/** Of all segments below the directory. */
function logBytes(dataDir: string): number {
  let bytes = 0
  for (const name of readdirSync(dataDir, { recursive: true, encoding: 'utf8' }))
    if (name.endsWith('.log')) bytes += statSync(join(dataDir, name)).size
  return bytes
}
