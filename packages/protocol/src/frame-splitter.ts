import { ProtocolError } from './kafka-error.ts'

const LENGTH_BYTES = 4

/**
 * Cuts a byte stream into frames (the int32 length is removed). A frame that lies within one chunk is a view of it;
 * one that spans chunks is copied once, into a buffer of its own that grows only as its bytes arrive.
 */
export class FrameSplitter {
  readonly #maxFrameBytes: number
  #pending: Buffer[] = []
  #pendingBytes = 0
  #wanted = LENGTH_BYTES

  /** @param maxFrameBytes a longer frame throws `FRAME_TOO_LARGE` */
  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes
  }

  /** Bytes held back until their frame is complete. */
  get bufferedBytes(): number {
    return this.#pendingBytes
  }

  /** Takes the next chunk and calls `onFrame` for each frame that it completes. */
  push(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    let bytes = chunk
    if (this.#pendingBytes > 0) {
      this.#pending.push(chunk)
      this.#pendingBytes += chunk.length
      if (this.#pendingBytes < this.#wanted) return
      bytes = this.#pending.length === 1 ? chunk : Buffer.concat(this.#pending, this.#pendingBytes)
      this.#pending = []
      this.#pendingBytes = 0
      this.#wanted = LENGTH_BYTES
    }
    const rest = this.#splitWhole(bytes, onFrame)
    if (rest.length === 0) return
    this.#pending.push(rest)
    this.#pendingBytes = rest.length
  }

  #splitWhole(bytes: Buffer, onFrame: (frame: Buffer) => void): Buffer {
    let position = 0
    while (bytes.length - position >= LENGTH_BYTES) {
      const length = bytes.readInt32BE(position)
      if (length < 0 || length > this.#maxFrameBytes) throw tooLarge(length, this.#maxFrameBytes)
      const end = position + LENGTH_BYTES + length
      if (end > bytes.length) {
        this.#wanted = LENGTH_BYTES + length
        break
      }
      onFrame(bytes.subarray(position + LENGTH_BYTES, end))
      position = end
    }
    return bytes.subarray(position)
  }
}

function tooLarge(length: number, limit: number): ProtocolError {
  return new ProtocolError(
    'FRAME_TOO_LARGE',
    `a frame of ${length} bytes; the limit is ${limit}. The other end may not speak the Kafka protocol (or expects TLS)`,
  )
}
