import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { BenchClient } from '../workload.ts'

interface Entry {
  /** Loaded on demand, so that a child process holds nothing but the client that it measures. */
  readonly load: () => Promise<BenchClient>
  /** How its producer is set up, for the tables. Every one has acks all. */
  readonly producing: string
  /** How it is handed many messages. */
  readonly calls: string
  /** How it hands messages out. */
  readonly consuming: string
  /** Another way to consume of a client that is here: it produces no differently. */
  readonly isForConsuming?: true
  /** Why it cannot run here; undefined when it can. */
  readonly missing?: () => string | undefined
}

const CONFLUENT = '@confluentinc/kafka-javascript'

const clients: Readonly<Record<string, Entry>> = {
  kafkajs: {
    load: async () => (await import('./kafkajs.ts')).kafkajs,
    producing: 'not idempotent, which would leave it one request in flight',
    calls: '`send` of an array; it gathers no batches',
    consuming: '`eachBatch`',
  },
  platformatic: {
    load: async () => (await import('./platformatic.ts')).platformatic,
    producing: 'not idempotent, which would leave it one request in flight',
    calls: '`send` of an array; it gathers no batches',
    consuming: "the stream's `data` event, the fastest way it has",
  },
  kafkats: {
    load: async () => (await import('./kafkats.ts')).kafkats,
    producing: 'idempotent',
    calls: '`send` of an array',
    consuming: '`runBatch`, every partition at once',
  },
  confluent: {
    load: async () => (await import('./confluent.ts')).confluent,
    producing: 'idempotent',
    calls: '`send` of an array',
    consuming: '`eachBatch` of any size, every partition at once',
    missing: confluentMissing,
  },
  millrace: {
    load: async () => (await import('./millrace.ts')).millrace,
    producing: 'idempotent',
    calls: '`sendAll`',
    consuming: '`for await (using batch of batches())`',
  },
  'millrace-single': {
    load: async () => (await import('./millrace.ts')).millraceSingle,
    producing: 'idempotent',
    calls: '`send`, one promise per record',
    consuming: '`for await` over `records({ disposeHandled: true })`',
  },
  'millrace-unchecked': {
    load: async () => (await import('./millrace.ts')).millraceUnchecked,
    producing: 'idempotent',
    calls: '`sendAll`',
    consuming: '`for await (using batch of batches())`, with `checkCrcs: false`',
    isForConsuming: true,
  },
  'millrace-kept': {
    load: async () => (await import('./millrace.ts')).millraceKept,
    producing: 'idempotent',
    calls: '`sendAll`',
    consuming: '`for await (const batch of batches())`',
    isForConsuming: true,
  },
  'millrace-single-kept': {
    load: async () => (await import('./millrace.ts')).millraceSingleKept,
    producing: 'idempotent',
    calls: '`send`, one promise per record',
    consuming: '`for await` over records, as they come',
    isForConsuming: true,
  },
  'millrace-run': {
    load: async () => (await import('./millrace.ts')).millraceRun,
    producing: 'idempotent',
    calls: '`sendAll`',
    consuming: '`run({ disposeHandled: true, eachRecord })`, whose handler does not wait',
    isForConsuming: true,
  },
  'millrace-run-batch': {
    load: async () => (await import('./millrace.ts')).millraceRunBatch,
    producing: 'idempotent',
    calls: '`sendAll`',
    consuming: '`run({ disposeHandled: true, eachBatch })`',
    isForConsuming: true,
  },
}

/** Names for `--clients`; `java` is run by its own perf tools. */
export const clientNames: readonly string[] = [...Object.keys(clients), 'java']

/** The client that all others are compared with, at its best for many records, and for one at a time. */
export const OWN = 'millrace'
export const OWN_SINGLE = 'millrace-single'
/** As `OWN_SINGLE`, by a loop that may keep what it reads. */
export const OWN_SINGLE_KEPT = 'millrace-single-kept'

export function isPeer(client: string): boolean {
  return !client.startsWith(OWN) && client !== 'java'
}

/** Whether the client has a row where producing is measured by this harness. */
export function isProducing(client: string): boolean {
  return client !== 'java' && clients[client]?.isForConsuming !== true
}

export async function loadClient(name: string): Promise<BenchClient> {
  return entryOf(name).load()
}

export function modeOf(name: string): Pick<Entry, 'producing' | 'calls' | 'consuming'> {
  return entryOf(name)
}

/** Why a client cannot be measured here, in words for a table; undefined when it can. */
export function missingReason(name: string): string | undefined {
  return clients[name]?.missing?.()
}

function entryOf(name: string): Entry {
  const entry = clients[name]
  if (entry === undefined) throw new Error(`unknown client ${JSON.stringify(name)}; known: ${clientNames.join(', ')}`)
  return entry
}

/** Its binary is fetched by an install script of its own, which does not run with the workspace's install. */
function confluentMissing(): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve(`${CONFLUENT}/package.json`)
    const binary = join(dirname(manifest), 'build', 'Release', 'confluent-kafka-javascript.node')
    return existsSync(binary) ? undefined : `${CONFLUENT} has no binary here (see README.md)`
  } catch {
    return `${CONFLUENT} is not installed`
  }
}
