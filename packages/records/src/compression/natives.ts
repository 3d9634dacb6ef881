import { createRequire } from 'node:module'

/** The part of lz4-napi that is used: LZ4 frames, off the event loop. */
export interface NativeLz4 {
  compressFrame(data: Buffer): Promise<Buffer>
  decompressFrame(data: Buffer): Promise<Buffer>
}

/** The part of snappy that is used: raw blocks. */
export interface NativeSnappy {
  compressSync(input: Buffer, options: SnappyOptions): Buffer
  compress(input: Buffer, options: SnappyOptions): Promise<Buffer>
  uncompressSync(input: Buffer, options: SnappyOptions): Buffer
  uncompress(input: Buffer, options: SnappyOptions): Promise<Buffer>
}

interface SnappyOptions {
  readonly asBuffer: true
  /** Into memory of V8 instead of its own, which would wait for the garbage collector: up to five times as fast. */
  readonly copyOutputData: true
}

export const SNAPPY_OPTIONS: SnappyOptions = { asBuffer: true, copyOutputData: true }

const require = createRequire(import.meta.url)
const loaded = new Map<string, unknown>()
let allowed = true

/** Null where there is no binary for this platform, or the optional dependency was left out. */
export function nativeLz4(): NativeLz4 | null {
  return load('lz4-napi') as NativeLz4 | null
}

export function nativeSnappy(): NativeSnappy | null {
  return load('snappy') as NativeSnappy | null
}

/** Whether node:zlib's own zstd may be used. */
export function nativeAllowed(): boolean {
  return allowed
}

/** For tests: `false` makes this process do without native codecs, as on a platform that has none. */
export function allowNativeCodecs(value: boolean): void {
  allowed = value
}

function load(name: string): unknown {
  if (!allowed) return null
  let library = loaded.get(name)
  if (library === undefined) {
    try {
      library = require(name) as unknown
    } catch {
      library = null // optional: what is in this folder does the same, slower or on the event loop
    }
    loaded.set(name, library)
  }
  return library
}
