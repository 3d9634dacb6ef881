import { ProtocolError } from './kafka-error.ts'
import { DEFAULT_FRAME_RESERVE_BYTES, DIRECT_READ_BYTES_MIN } from './limits.ts'
import { markOwnMemory } from './own-memory.ts'

const LENGTH_BYTES = 4
const NOTHING: Buffer = Buffer.alloc(0)

export interface FrameSplitterOptions {
  /**
   * How many bytes of an announced frame are reserved before they have come; beyond that, room is made as they come.
   * Default 1 MiB. A client, which chose whom to talk to, may reserve more and save copies.
   */
  readonly reserveBytes?: number
  /** Whether the memory of a chunk is used again after `push`: then no frame is a view of its chunk. Default false. */
  readonly reusesChunks?: boolean
}

/**
 * Cuts a byte stream into frames (the int32 length is removed). A frame that lies within one chunk is a view of it; one
 * that spans chunks is collected in memory of its own. The length is checked before anything is kept, so the other end
 * cannot make us hold more than one frame of the limit.
 */
export class FrameSplitter {
  readonly #maxFrameBytes: number
  readonly #reserveBytes: number
  readonly #reusesChunks: boolean
  readonly #length: Buffer = Buffer.alloc(LENGTH_BYTES)
  #lengthBytes = 0
  /** The frame that is being collected, its size (0 between frames) and how much of it is there. */
  #frame: Buffer = NOTHING
  #size = 0
  #filled = 0

  /** @param maxFrameBytes a longer frame throws `FRAME_TOO_LARGE`; the length of 4 bytes does not count */
  constructor(maxFrameBytes: number, options: FrameSplitterOptions = {}) {
    this.#maxFrameBytes = maxFrameBytes
    this.#reserveBytes = options.reserveBytes ?? DEFAULT_FRAME_RESERVE_BYTES
    this.#reusesChunks = options.reusesChunks ?? false
  }

  /** Bytes held back until their frame is complete. */
  get bufferedBytes(): number {
    return this.#lengthBytes + this.#filled
  }

  /**
   * Where the next bytes belong, all of which are of one frame; null between frames, or when so few are missing that a read into it would
   * leave behind what follows. Whoever reads into it pushes what it has read, and saves a copy of it.
   */
  get room(): Buffer | null {
    if (this.#size - this.#filled < DIRECT_READ_BYTES_MIN || this.#filled === this.#frame.length) return null
    return this.#frame.subarray(this.#filled)
  }

  /**
   * Takes the next chunk and calls `onFrame` for each frame that it completes. After it has thrown, what follows in the
   * stream cannot be told apart any more: close the connection.
   *
   * @throws ProtocolError `FRAME_TOO_LARGE`, and what `onFrame` throws
   */
  push(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    let position = 0
    while (position < chunk.length) {
      position = this.#size > 0 ? this.#collect(chunk, position, onFrame) : this.#begin(chunk, position, onFrame)
    }
  }

  /** Reads a length, or what there is of it, and hands out the frame if the chunk holds all of it. */
  #begin(chunk: Buffer, position: number, onFrame: (frame: Buffer) => void): number {
    const start = this.#readLength(chunk, position)
    if (this.#lengthBytes < LENGTH_BYTES) return start
    this.#lengthBytes = 0
    const size = this.#length.readInt32BE(0)
    if (size < 0 || size > this.#maxFrameBytes) throw tooLarge(size, this.#maxFrameBytes)
    const end = start + size
    if (end > chunk.length) {
      this.#size = size
      this.#frame = Buffer.allocUnsafeSlow(Math.min(size, this.#reserveBytes))
      return start
    }
    const frame = chunk.subarray(start, end)
    onFrame(this.#reusesChunks ? Buffer.from(frame) : frame)
    return end
  }

  #readLength(chunk: Buffer, position: number): number {
    const end = Math.min(chunk.length, position + LENGTH_BYTES - this.#lengthBytes)
    for (let at = position; at < end; at++) this.#length[this.#lengthBytes++] = chunk[at]!
    return end
  }

  #collect(chunk: Buffer, position: number, onFrame: (frame: Buffer) => void): number {
    const end = Math.min(chunk.length, position + this.#size - this.#filled)
    const filled = this.#filled + end - position
    if (filled > this.#frame.length) this.#grow(filled)
    if (!this.#isInPlace(chunk)) chunk.copy(this.#frame, this.#filled, position, end)
    this.#filled = filled
    if (filled < this.#size) return end
    const frame = this.#frame
    this.#frame = NOTHING
    this.#size = 0
    this.#filled = 0
    onFrame(markOwnMemory(frame))
    return end
  }

  /** Whether it was read into `room`. */
  #isInPlace(chunk: Buffer): boolean {
    return chunk.buffer === this.#frame.buffer && chunk.byteOffset === this.#frame.byteOffset + this.#filled
  }

  /** Never beyond the frame's own size, so that a complete frame fills its memory exactly. */
  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.min(this.#size, Math.max(needed, 2 * this.#frame.length)))
    this.#frame.copy(grown, 0, 0, this.#filled)
    this.#frame = grown
  }
}

function tooLarge(length: number, limit: number): ProtocolError {
  return new ProtocolError(
    'FRAME_TOO_LARGE',
    `a frame of ${length} bytes; the limit is ${limit}. The other end may not speak the Kafka protocol (or expects TLS)`,
  )
}
