import { BUFFERED_BYTES_MAX, FETCH_ROOM_BYTES_MAX, STARVED_FETCH_BYTES_MIN } from '../limits.ts'
import type { FetchSettings } from './fetch-request.ts'
import { FetchedAnswer } from './fetched-answer.ts'
import type { FetchedChunk } from './fetched-chunk.ts'
import type { PartitionCursor } from './partition-cursor.ts'

/** A chunk that was handed out to its end and holds its answer until all before `endOffset` was handled. */
export interface UnhandledChunk {
  readonly answer: FetchedAnswer
  readonly endOffset: number
}

/**
 * What fetched answers take in memory, over all partitions, and how much may be asked for besides. An answer counts as a whole from when it comes until
 * everything of it was handled, or dropped: what the application keeps for longer is its own.
 *
 * At most `BUFFERED_BYTES_MAX` is held, and as much again: when there is no room for a fetch of one partition, only partitions of which nothing is buffered are
 * fetched, each for its part of `BUFFERED_BYTES_MAX`, so that none starves, whatever others hold. What comes then is divided: a partition with a record in hand for long,
 * and few new ones beside others with many, would else hold one answer for each of its records. (A batch that is larger than what is asked for comes nevertheless, KIP-74.)
 */
export class FetchedMemory {
  readonly #settings: FetchSettings
  #heldBytes = 0
  #bufferedBytes = 0

  constructor(settings: FetchSettings) {
    this.#settings = settings
  }

  /** Of the answers that are held. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Of the chunks that were not handed out to their end. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /** Whether nothing more is to be fetched of partitions that have something. */
  get isFull(): boolean {
    const { fetchMaxBytes, maxPartitionFetchBytes } = this.#settings
    return BUFFERED_BYTES_MAX - this.#heldBytes < Math.min(maxPartitionFetchBytes, fetchMaxBytes, FETCH_ROOM_BYTES_MAX)
  }

  /** Something came, of so many bytes in all. */
  answered(sizeInBytes: number): FetchedAnswer {
    return new FetchedAnswer(sizeInBytes, this.isFull)
  }

  /** How many bytes to ask one of so many brokers for, with so many partitions to be fetched in all. */
  allowance(brokers: number, partitions: number): number {
    const { fetchMaxBytes, maxPartitionFetchBytes } = this.#settings
    if (this.isFull) {
      const share = Math.max(STARVED_FETCH_BYTES_MIN, Math.floor(BUFFERED_BYTES_MAX / partitions))
      return Math.min(share, maxPartitionFetchBytes, fetchMaxBytes)
    }
    const share = Math.floor((BUFFERED_BYTES_MAX - this.#heldBytes) / brokers)
    // Requests for less than one partition may bring cost more than they are worth; but all brokers may answer at once.
    const least = Math.min(maxPartitionFetchBytes, FETCH_ROOM_BYTES_MAX, Math.floor(BUFFERED_BYTES_MAX / brokers))
    return Math.min(Math.max(share, least), fetchMaxBytes)
  }

  /** A chunk of it is buffered. */
  add(cursor: PartitionCursor, chunk: FetchedChunk): void {
    cursor.chunks.push(chunk)
    cursor.bufferedBytes += chunk.sizeInBytes
    this.#bufferedBytes += chunk.sizeInBytes
    chunk.answer.lend()
    if (chunk.answer.holders++ === 0) this.#heldBytes += chunk.answer.sizeInBytes
  }

  /** The partition's first chunk is at its end. What of it is in hand holds the answer until it was handled. */
  shift(cursor: PartitionCursor): FetchedChunk {
    const chunk = cursor.chunks.shift()!
    cursor.bufferedBytes -= chunk.sizeInBytes
    this.#bufferedBytes -= chunk.sizeInBytes
    chunk.answer.giveBack()
    if (cursor.inHandFrom >= 0) cursor.unhandled.push({ answer: chunk.answer, endOffset: cursor.position })
    else this.#release(chunk.answer)
    return chunk
  }

  /** Lets go of what was handled meanwhile. */
  settle(cursor: PartitionCursor): void {
    const { unhandled, handledOffset } = cursor
    while (unhandled.length > 0 && unhandled[0]!.endOffset <= handledOffset) this.#release(unhandled.shift()!.answer)
  }

  /** What is buffered of the partition is dropped; what is in hand is of no account any more. */
  drop(cursor: PartitionCursor): void {
    for (const { answer } of cursor.chunks) {
      answer.giveBack()
      this.#release(answer)
    }
    for (const { answer } of cursor.unhandled.splice(0)) this.#release(answer)
    this.#bufferedBytes -= cursor.bufferedBytes
    cursor.dropBuffered()
  }

  #release(answer: FetchedAnswer): void {
    if (--answer.holders === 0) this.#heldBytes -= answer.sizeInBytes
  }
}
