import { BATCH_HEADER_BYTES, batchBytes } from '@millrace/records/internal'
import { SCAN_CHUNK_BYTES } from '../limits.ts'
import type { StorageFile } from '../storage/storage.ts'

/** Walks over the batches of a log file, in order. One object for the whole walk. */
export class BatchScanner {
  /** Bytes that hold the batch's header, and after `load` all of it; valid until the next call. */
  buffer: Buffer = Buffer.alloc(0)
  /** Where the batch begins in `buffer`. */
  at = 0
  /** Where the batch begins in the file; after the walk, where the whole batches end. */
  position: number
  /** Bytes of the batch. */
  size = 0
  readonly #file: StorageFile
  readonly #end: number
  readonly #chunkBytes: number

  /** Walks from `position`, where a batch must begin, up to `end`. */
  constructor(file: StorageFile, position = 0, end: number = file.size, chunkBytes: number = SCAN_CHUNK_BYTES) {
    this.#file = file
    this.position = position
    this.#end = end
    this.#chunkBytes = chunkBytes
  }

  /** Moves to the next batch; false when no whole batch is left, be it because the file ends or because its bytes make no sense. */
  next(): boolean {
    this.position += this.size
    this.at += this.size
    this.size = 0
    if (!this.#have(BATCH_HEADER_BYTES)) return false
    const size = batchBytes(this.buffer, this.at)
    if (size < BATCH_HEADER_BYTES || size > this.#end - this.position) return false
    this.size = size
    return true
  }

  /** Brings the whole batch into `buffer`; false when the file does not have it. */
  load(): boolean {
    return this.#have(this.size)
  }

  /** Whether bytes are left that are no whole batch. Call it after `next` returned false. */
  get stoppedEarly(): boolean {
    return this.position < this.#end
  }

  #have(bytes: number): boolean {
    if (this.buffer.length - this.at >= bytes) return true
    const left = this.#end - this.position
    if (left < bytes) return false
    this.buffer = this.#file.read(this.position, Math.min(left, Math.max(bytes, this.#chunkBytes)))
    this.at = 0
    return this.buffer.length >= bytes
  }
}
