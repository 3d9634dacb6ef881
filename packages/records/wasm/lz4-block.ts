/*
 * LZ4's block format in AssemblyScript: TypeScript's syntax, of which `codegen/compile-wasm.ts` makes WebAssembly. There are no objects here, and nothing of
 * AssemblyScript's runtime: only numbers, and loads and stores in one memory.
 */
export { INPUT, reserve } from './memory'
export { decodeBlock } from './decode-block'
export { encodeBlock } from './encode-block'
