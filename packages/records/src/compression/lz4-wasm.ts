import { LZ4_BLOCK_WASM } from '../generated/lz4-block-wasm.ts'
import { UnsupportedCompressionError } from '../errors.ts'

/** Result of `Lz4Memory.decode`: the input is not an LZ4 block. */
export const LZ4_CORRUPT = -1
/** Result of `Lz4Memory.decode`: the output does not fit. */
export const LZ4_FULL = -2
/** As far as a match reaches back. */
export const MAX_DISTANCE = 0xffff

/** The most bytes that a block of `length` bytes can take. */
export function lz4BlockBound(length: number): number {
  return length + Math.ceil(length / 255) + 16
}

/** What the encoder writes too much, at most. */
const ENCODER_SLACK = 32

/** What `wasm/lz4-block.ts` exports. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly INPUT: { readonly value: number }
  reserve(bytes: number): number
  decodeBlock(start: number, end: number, position: number, limit: number, dictionary: number): number
  encodeBlock(start: number, end: number, target: number): number
}

/** What is used of it; the types of Node do not have it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

/** The memory of the WebAssembly: one block of input, what its matches may reach back to, and its output. It grows as it must, to 13 MiB at most, for blocks of 4 MiB. */
export class Lz4Memory {
  readonly #exports: Exports
  readonly #input: number
  #bytes: Buffer
  #output = 0

  constructor(exports: Exports) {
    this.#exports = exports
    this.#input = exports.INPUT.value
    this.#bytes = Buffer.from(exports.memory.buffer)
  }

  /**
   * Decodes the block `input[start..end)`, into `limit` bytes at most; its matches may reach back into `history[0..historyEnd)`. Gives back how many bytes that makes, or
   * `LZ4_CORRUPT` or `LZ4_FULL`. They stay here until the next call, for `take`.
   * @throws {RangeError} without memory for it
   */
  decode(input: Buffer, start: number, end: number, limit: number, history: Buffer, historyEnd: number): number {
    const inputEnd = this.#input + end - start
    const output = inputEnd + MAX_DISTANCE
    const reach = Math.min(MAX_DISTANCE, historyEnd)
    try {
      this.#begin(input, start, end, output, output)
      history.copy(this.#bytes, output - reach, historyEnd - reach, historyEnd)
      return this.#exports.decodeBlock(this.#input, inputEnd, output, output + limit, output - reach)
    } catch (error) {
      throw noMemory(error)
    }
  }

  /** Encodes `input[start..end)` as one block, with the fast compressor; gives back how many bytes it has. They stay here until the next call, for `take`. @throws {RangeError} without memory for it */
  encode(input: Buffer, start: number, end: number): number {
    const output = this.#input + end - start
    try {
      this.#begin(input, start, end, output, output + lz4BlockBound(end - start) + ENCODER_SLACK)
      return this.#exports.encodeBlock(this.#input, output, output)
    } catch (error) {
      throw noMemory(error)
    }
  }

  /** Copies the first `length` bytes of the output to `target`. */
  take(target: Buffer, position: number, length: number): void {
    this.#view()
    this.#bytes.copy(target, position, this.#output, this.#output + length)
  }

  #begin(input: Buffer, start: number, end: number, output: number, neededBytes: number): void {
    this.#view()
    if (neededBytes > this.#bytes.length) this.#exports.reserve(neededBytes)
    this.#view()
    input.copy(this.#bytes, this.#input, start, end)
    this.#output = output
  }

  /** Memory that has grown is another object for JavaScript; what it was before is empty. */
  #view(): void {
    if (this.#bytes.length === 0) this.#bytes = Buffer.from(this.#exports.memory.buffer)
  }
}

let module: object | null = null
let kept: Lz4Memory | null = null

/**
 * The one of this thread: nothing in it outlives the call that it is asked for in.
 * @throws {UnsupportedCompressionError} where there is no WebAssembly
 */
export function lz4Memory(): Lz4Memory {
  module ??= compile()
  kept ??= new Lz4Memory(new WebAssembly.Instance(module).exports as Exports)
  return kept
}

/** All that the WebAssembly throws: its memory cannot grow. */
function noMemory(cause: unknown): RangeError {
  return new RangeError('lz4: not enough memory', { cause })
}

function compile(): object {
  try {
    return new WebAssembly.Module(Buffer.from(LZ4_BLOCK_WASM, 'base64'))
  } catch (error) {
    throw new UnsupportedCompressionError(
      'lz4: there is no WebAssembly with SIMD in this process, as with `node --jitless`',
      error,
    )
  }
}
