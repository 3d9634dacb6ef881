import { ProtocolError } from './kafka-error.ts'
import { MAX_FRAME_PIECES } from './limits.ts'

const LENGTH_BYTES = 4

/**
 * Cuts a byte stream into frames (the int32 length is removed). A frame that lies within one chunk is a view of it; one
 * that spans chunks is copied once, when all of it has come. The length is checked before anything is kept, so the other
 * end cannot make us hold more than one frame of the limit, nor more than it has sent.
 */
export class FrameSplitter {
  readonly #maxFrameBytes: number
  readonly #length: Buffer = Buffer.alloc(LENGTH_BYTES)
  #lengthBytes = 0
  #pieces: Buffer[] = []
  #pieceBytes = 0
  /** What the frame that is being collected lacks; 0 between frames. */
  #missing = 0

  /** @param maxFrameBytes a longer frame throws `FRAME_TOO_LARGE`; the length of 4 bytes does not count */
  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes
  }

  /** Bytes held back until their frame is complete. */
  get bufferedBytes(): number {
    return this.#lengthBytes + this.#pieceBytes
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
      position = this.#missing > 0 ? this.#collect(chunk, position, onFrame) : this.#begin(chunk, position, onFrame)
    }
  }

  /** Reads a length, or what there is of it, and hands out the frame if the chunk holds all of it. */
  #begin(chunk: Buffer, position: number, onFrame: (frame: Buffer) => void): number {
    const start = this.#readLength(chunk, position)
    if (this.#lengthBytes < LENGTH_BYTES) return start
    this.#lengthBytes = 0
    const size = this.#length.readInt32BE(0)
    if (size < 0 || size > this.#maxFrameBytes) throw tooLarge(size, this.#maxFrameBytes)
    if (chunk.length - start < size) {
      this.#missing = size
      return start
    }
    onFrame(chunk.subarray(start, start + size))
    return start + size
  }

  #readLength(chunk: Buffer, position: number): number {
    const end = Math.min(chunk.length, position + LENGTH_BYTES - this.#lengthBytes)
    for (let at = position; at < end; at++) this.#length[this.#lengthBytes++] = chunk[at]!
    return end
  }

  #collect(chunk: Buffer, position: number, onFrame: (frame: Buffer) => void): number {
    const end = Math.min(chunk.length, position + this.#missing)
    this.#pieces.push(chunk.subarray(position, end))
    this.#pieceBytes += end - position
    this.#missing -= end - position
    if (this.#missing > 0) {
      if (this.#pieces.length === MAX_FRAME_PIECES) this.#pieces = [this.#joinPieces()]
      return end
    }
    const frame = this.#joinPieces()
    this.#pieces = []
    this.#pieceBytes = 0
    onFrame(frame)
    return end
  }

  #joinPieces(): Buffer {
    return this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces, this.#pieceBytes)
  }
}

function tooLarge(length: number, limit: number): ProtocolError {
  return new ProtocolError(
    'FRAME_TOO_LARGE',
    `a frame of ${length} bytes; the limit is ${limit}. The other end may not speak the Kafka protocol (or expects TLS)`,
  )
}
