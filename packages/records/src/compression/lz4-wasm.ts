import { LZ4_BLOCK_WASM } from '../generated/lz4-block-wasm.ts'
import { MAX_KEPT_SCRATCH_BYTES } from '../limits.ts'

/** Result of `decodeLz4Block`: the input is not an LZ4 block. */
export const LZ4_CORRUPT = -1
/** Result of `decodeLz4Block`: the output does not fit. */
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

/** The memory of the WebAssembly: one block of input, what its matches may reach back to, and its output. It grows as it must. */
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

  get bytes(): number {
    return this.#bytes.length
  }

  /**
   * Decodes the block `input[start..end)`, into `limit` bytes at most; its matches may reach back into `history[0..historyEnd)`. Gives back how many bytes that makes, or
   * `LZ4_CORRUPT` or `LZ4_FULL`. They stay here until the next call, for `take`.
   */
  decode(input: Buffer, start: number, end: number, limit: number, history: Buffer, historyEnd: number): number {
    const inputEnd = this.#input + end - start
    const output = inputEnd + MAX_DISTANCE
    const reach = Math.min(MAX_DISTANCE, historyEnd)
    if (output > this.#bytes.length) this.#exports.reserve(output)
    this.#view()
    input.copy(this.#bytes, this.#input, start, end)
    history.copy(this.#bytes, output - reach, historyEnd - reach, historyEnd)
    this.#output = output
    return this.#exports.decodeBlock(this.#input, inputEnd, output, output + limit, output - reach)
  }

  /** Encodes `input[start..end)` as one block, with the fast compressor; gives back how many bytes it has. They stay here until the next call, for `take`. */
  encode(input: Buffer, start: number, end: number): number {
    const output = this.#input + end - start
    const needed = output + lz4BlockBound(end - start) + ENCODER_SLACK
    if (needed > this.#bytes.length) this.#exports.reserve(needed)
    this.#view()
    input.copy(this.#bytes, this.#input, start, end)
    this.#output = output
    return this.#exports.encodeBlock(this.#input, output, output)
  }

  /** Copies the first `length` bytes of the output to `target`. */
  take(target: Buffer, position: number, length: number): void {
    this.#view()
    this.#bytes.copy(target, position, this.#output, this.#output + length)
  }

  /** Memory that has grown is another object for JavaScript; what it was before is empty. */
  #view(): void {
    if (this.#bytes.length === 0) this.#bytes = Buffer.from(this.#exports.memory.buffer)
  }
}

let module: object | null = null
let kept: Lz4Memory | null = null

/** The one of this thread: nothing in it outlives the call that it is asked for in. */
export function lz4Memory(): Lz4Memory {
  module ??= new WebAssembly.Module(Buffer.from(LZ4_BLOCK_WASM, 'base64'))
  kept ??= new Lz4Memory(new WebAssembly.Instance(module).exports as Exports)
  return kept
}

/** Gives it back if it has become large: WebAssembly's memory cannot shrink. */
export function trimLz4Memory(): void {
  if (kept !== null && kept.bytes > MAX_KEPT_SCRATCH_BYTES) kept = null
}
