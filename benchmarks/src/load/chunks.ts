import { CHUNK_BYTES, CHUNK_MESSAGES, CHUNKS } from '../limits.ts'
import { payload } from '../payload.ts'

/** How many messages of a size go into one call. */
export function chunkMessages(messageBytes: number): number {
  return Math.max(1, Math.min(CHUNK_MESSAGES, Math.floor(CHUNK_BYTES / messageBytes)))
}

/** The prepared values of the calls. */
export function chunksOf(messageBytes: number): Buffer[][] {
  const perChunk = chunkMessages(messageBytes)
  const values = payload(perChunk * CHUNKS, messageBytes)
  return Array.from({ length: CHUNKS }, (_, index) => values.slice(index * perChunk, (index + 1) * perChunk))
}
