import { AsyncLocalStorage } from 'node:async_hooks'
import * as zlib from 'node:zlib'
import { markOwnMemory } from '@millrace/protocol/internal'
import { KEPT_ZSTD_BYTES, KEPT_ZSTD_WINDOW_BYTES, ZSTD_SLOW_LEVEL } from '../limits.ts'
import type { ZstdFrame } from './zstd-frame.ts'

/**
 * Contexts of libzstd that are used again: node:zlib makes one for each call, which takes longer than what a batch of ordinary
 * size does in it (docs/decisions/0013). They do what is ordinary; null says that it is not, and leaves it, and the naming of
 * what is wrong with it, to node:zlib's own calls.
 */

/** What node:zlib keeps for those who drive its streams by hand, as npm's own minizlib does. */
interface Engine {
  _handle: { close(): void } | null
  _processChunk(input: Buffer, flushFlag: number): unknown
  on(event: 'error', listener: () => void): Engine
}

interface EngineClasses {
  readonly ZstdCompress: new (options: zlib.ZstdOptions) => Engine
  readonly ZstdDecompress: new (options: zlib.ZstdOptions) => Engine
}

/** One for compression or for decompression. It is made when it is first used, and made anew after an error. */
class Context {
  readonly #newEngine: () => Engine
  #engine: Engine | null = null
  #handle: Engine['_handle'] = null
  #close: () => void = () => {}
  /** It was not to be had in the first place, as with a node:zlib that is another inside. */
  #isImpossible = false

  constructor(newEngine: () => Engine) {
    this.#newEngine = newEngine
  }

  /** The frame that `input` makes, or what the frame `input` holds. Null where there is an error. */
  run(input: Buffer): Buffer | null {
    if (this.#isImpossible) return null
    const isNew = this.#engine === null
    try {
      this.#engine ??= this.#open()
      const output = this.#engine._processChunk(input, zlib.constants.ZSTD_e_end)
      this.#engine._handle = this.#handle
      return copyOf(output as Buffer)
    } catch (error) {
      this.close()
      // What node:zlib itself throws, about the input, has a code.
      this.#isImpossible = isNew && !(error instanceof Error && 'code' in error)
      return null
    }
  }

  close(): void {
    this.#engine = null
    this.#close()
    this.#close = () => {}
  }

  #open(): Engine {
    const engine = outside(this.#newEngine)
    const handle = engine._handle!
    this.#close = handle.close.bind(handle)
    this.#handle = handle
    handle.close = () => {} // `_processChunk` closes what it has used
    engine.on('error', () => {}) // it throws the error besides
    engine.on = () => engine // and would add a listener each time
    return engine
  }
}

/** A context would keep the `AsyncLocalStorage` of whoever needed it first. */
const outside = AsyncLocalStorage.snapshot()
const { ZstdCompress, ZstdDecompress } = zlib as unknown as EngineClasses
/** A byte more than there can be, so that all of it comes at once. */
const chunkSize = KEPT_ZSTD_BYTES + 1
const decompression = new Context(() => new ZstdDecompress({ chunkSize, maxOutputLength: chunkSize }))
let compression: Context | null = null
let compressionLevel: number | null = null

/**
 * Null for what is not one frame of ordinary size and window, for more than `maxBytes`, and for what cannot be decompressed.
 * @param frame what `input` begins with, and all of it: only such a one leaves the context where the next can begin
 */
export function decompressInKeptContext(input: Buffer, frame: ZstdFrame, maxBytes: number): Buffer | null {
  const { bytes, windowBytes, contentBytes, boundBytes } = frame
  if (bytes !== input.length || windowBytes > KEPT_ZSTD_WINDOW_BYTES) return null
  if (Math.min(contentBytes ?? boundBytes, boundBytes) > KEPT_ZSTD_BYTES) return null
  const output = decompression.run(input)
  return output === null || output.length > maxBytes ? null : output
}

/** Null for levels that take much memory or time, and for much input. */
export function compressInKeptContext(input: Buffer, level: number): Buffer | null {
  if (level >= ZSTD_SLOW_LEVEL || input.length > KEPT_ZSTD_BYTES) return null
  if (compression === null || compressionLevel !== level) {
    compression?.close()
    const params = { [zlib.constants.ZSTD_c_compressionLevel]: level }
    compression = new Context(() => new ZstdCompress({ chunkSize, params }))
    compressionLevel = level
  }
  return compression.run(input)
}

/** Out of what the next call writes to. */
function copyOf(output: Buffer): Buffer {
  const own = markOwnMemory(Buffer.allocUnsafeSlow(output.length))
  output.copy(own)
  return own
}
