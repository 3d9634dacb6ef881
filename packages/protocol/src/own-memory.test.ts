import { describe, expect, test } from 'vitest'
import { FrameSplitter } from './frame-splitter.ts'
import { freeMemory, markOwnMemory, markUnpooled, ownMemoryOf } from './own-memory.ts'

/** Not among the types of Node. */
const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: { readonly Memory: new (limits: { readonly initial: number }) => { readonly buffer: ArrayBuffer } }
}

function framesOf(chunks: readonly Buffer[]): Buffer[] {
  const splitter = new FrameSplitter(1_000_000, { reusesChunks: true })
  const frames: Buffer[] = []
  for (const chunk of chunks) splitter.push(chunk, (frame) => frames.push(frame))
  return frames
}

describe('memory of its own', () => {
  test('is what was said to be, whatever its size', () => {
    expect(ownMemoryOf(Buffer.allocUnsafe(10))).toBeNull()
    expect(ownMemoryOf(Buffer.alloc(1_000_000))).toBeNull()
    const bytes = markOwnMemory(Buffer.allocUnsafeSlow(10))
    expect(ownMemoryOf(bytes.subarray(3, 4))).toBe(bytes.buffer)
  })

  test('is what is too large for the pool', () => {
    const half = Buffer.poolSize >>> 1
    expect(ownMemoryOf(markUnpooled(Buffer.allocUnsafe(half - 1), half - 1))).toBeNull()
    const bytes = Buffer.allocUnsafe(half)
    expect(ownMemoryOf(markUnpooled(bytes, half))).toBe(bytes.buffer)
    expect(bytes.buffer.byteLength).toBe(half)
  })

  test('is freed once, with all its views', () => {
    const bytes = markOwnMemory(Buffer.allocUnsafeSlow(10))
    const part = bytes.subarray(3, 4)
    freeMemory(ownMemoryOf(bytes)!)
    freeMemory(bytes.buffer as ArrayBuffer)
    expect([bytes.length, part.length]).toEqual([0, 0])
  })

  test('is left alone where it cannot be freed', () => {
    const { buffer } = new WebAssembly.Memory({ initial: 1 })
    freeMemory(buffer)
    expect(buffer.byteLength).toBe(65_536)
  })

  test('is that of a frame that came in several chunks, and not of one that is copied out of a chunk', () => {
    const frame = Buffer.concat([Buffer.from([0, 0, 0, 8]), Buffer.from('12345678')])
    const [whole, collected] = framesOf([frame, frame.subarray(0, 7), frame.subarray(7)])
    expect([String(whole), String(collected)]).toEqual(['12345678', '12345678'])
    expect([ownMemoryOf(whole!), ownMemoryOf(collected!)]).toEqual([null, collected!.buffer])
  })
})
