import { OWN } from '../clients/registry.ts'
import { CHUNK_MESSAGES, CONSUME_SHARE, FETCH_AHEAD_BYTES, FILL_BATCH_BYTES, LINGER_MS, WARMUP_SHARE } from '../limits.ts'
import type { Session } from '../producing/session.ts'
import { runClient } from '../run-client.ts'
import type { Compression } from '../workload.ts'

export interface Filling {
  readonly topic: string
  readonly messageBytes: number
  readonly compression: Compression
  readonly partitions: number
}

/** How many messages a run reads, of those that lie there. */
export interface Reading {
  readonly warmupMessages: number
  readonly messages: number
}

/** @param messages measured ones of 1 KiB */
export function readingOf(messageBytes: number, messages: number): Reading {
  const whole = chunksOf(messages * (CONSUME_SHARE[messageBytes] ?? 1))
  return { messages: whole, warmupMessages: chunksOf(whole * WARMUP_SHARE) }
}

function chunksOf(messages: number): number {
  return Math.max(1, Math.round(messages / CHUNK_MESSAGES)) * CHUNK_MESSAGES
}

/**
 * A topic that holds what is read and what clients fetch ahead of it, for the time of `body`. Batches are as a producer with Java's
 * default `batch.size` makes them.
 */
export async function withFilledTopic(
  { broker, topics }: Session,
  { topic, messageBytes, compression, partitions }: Filling,
  { warmupMessages, messages }: Reading,
  body: () => Promise<void>,
): Promise<void> {
  await topics.create(topic, partitions)
  const filled = await runClient({
    kind: 'fill',
    client: OWN,
    topic,
    partitions,
    messageBytes,
    compression,
    bootstrapServers: broker.bootstrapServers,
    lingerMs: LINGER_MS,
    batchBytes: FILL_BATCH_BYTES,
    messages: warmupMessages + messages + Math.ceil(FETCH_AHEAD_BYTES / messageBytes),
  })
  if (typeof filled === 'string') throw new Error(`${topic} could not be filled: ${filled}`)
  const stored = await topics.stored(topic)
  if (stored !== filled.acknowledged) throw new Error(`${stored} of ${filled.acknowledged} acknowledged messages are stored`)
  await body()
  await topics.remove(topic)
}
