import * as zlib from 'node:zlib'
import { markOwnMemory } from '@millrace/protocol/internal'
import { KEPT_ZSTD_BYTES, KEPT_ZSTD_WINDOW_BYTES, ZSTD_SLOW_LEVEL } from '../limits.ts'
import { readZstdFrameHeader, zstdFrameBound } from './zstd-frame.ts'

/**
 * Contexts of libzstd that are used again: node:zlib makes one for each call, which takes longer than what a batch of ordinary
 * size does in it (docs/decisions/0013). They do what is ordinary; null says that it is not, and leaves it, and the naming of
 * what is wrong with it, to node:zlib's own calls.
 */

/** What node:zlib keeps for those who drive its streams by hand, as npm's own minizlib does. */
interface Engine {
  _handle: { close(): void } | null
  _processChunk(input: Buffer, flushFlag: number): Buffer
  on(event: 'error', listener: () => void): Engine
}

interface EngineClasses {
  readonly ZstdCompress: new (options: zlib.ZstdOptions) => Engine
  readonly ZstdDecompress: new (options: zlib.ZstdOptions) => Engine
}

class Context {
  readonly #engine: Engine
  readonly #handle: { close(): void }
  readonly #closeHandle: () => void

  constructor(engine: Engine) {
    const handle = engine._handle!
    this.#engine = engine
    this.#handle = handle
    this.#closeHandle = handle.close.bind(handle)
    handle.close = () => {} // `_processChunk` closes what it has used
    engine.on('error', () => {}) // it throws the error besides
    engine.on = () => engine // and would add a listener each time
  }

  /** The frame that `input` makes, or what the frame `input` holds; it may be used until the next call. Null where there is an error. */
  run(input: Buffer): Buffer | null {
    try {
      const output = this.#engine._processChunk(input, zlib.constants.ZSTD_e_end)
      this.#engine._handle = this.#handle
      return output
    } catch {
      return null
    }
  }

  close(): void {
    this.#closeHandle()
  }
}

const { ZstdCompress, ZstdDecompress } = zlib as unknown as EngineClasses
let decompression: Context | null = null
let compression: Context | null = null
let compressionLevel: number | null = null

/** Null for what is not one frame of ordinary size and window, for more than `maxBytes`, and for what cannot be decompressed. */
export function decompressInKeptContext(input: Buffer, maxBytes: number): Buffer | null {
  const header = readZstdFrameHeader(input)
  if (header === null || header.windowBytes > KEPT_ZSTD_WINDOW_BYTES) return null
  // Only a frame that is all there leaves the context where the next one can begin.
  const bound = zstdFrameBound(input, header)
  if (bound === null || Math.min(header.contentBytes ?? bound, bound) > KEPT_ZSTD_BYTES) return null
  decompression ??= new Context(new ZstdDecompress({ chunkSize: KEPT_ZSTD_BYTES }))
  const output = decompression.run(input)
  if (output === null) {
    decompression.close()
    decompression = null
    return null
  }
  return output.length > maxBytes ? null : copyOf(output)
}

/** Null for levels that take much memory or time, and for much input. */
export function compressInKeptContext(input: Buffer, level: number): Buffer | null {
  if (level >= ZSTD_SLOW_LEVEL || input.length > KEPT_ZSTD_BYTES) return null
  if (compression === null || compressionLevel !== level) {
    compression?.close()
    compression = new Context(
      new ZstdCompress({ chunkSize: KEPT_ZSTD_BYTES, params: { [zlib.constants.ZSTD_c_compressionLevel]: level } }),
    )
    compressionLevel = level
  }
  const output = compression.run(input)
  if (output !== null) return copyOf(output)
  compression.close()
  compression = null
  return null
}

function copyOf(output: Buffer): Buffer {
  const own = markOwnMemory(Buffer.allocUnsafeSlow(output.length))
  output.copy(own)
  return own
}
