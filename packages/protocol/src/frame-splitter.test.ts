import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameSplitter } from './frame-splitter.ts'
import { ProtocolError } from './kafka-error.ts'

const LIMIT = 1000

function framed(body: Uint8Array): Buffer {
  const frame = Buffer.alloc(4 + body.length)
  frame.writeInt32BE(body.length)
  frame.set(body, 4)
  return frame
}

/** Cuts a stream at the given places, which may repeat: a chunk may be empty. */
function cut(stream: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (stream.length + 1)), stream.length].sort((left, right) => left - right)
  return ends.map((end, index) => stream.subarray(index === 0 ? 0 : ends[index - 1]!, end))
}

function split(splitter: FrameSplitter, chunks: readonly Buffer[]): string[] {
  const frames: string[] = []
  for (const chunk of chunks) splitter.push(chunk, (frame) => frames.push(frame.toString('hex')))
  return frames
}

describe('FrameSplitter', () => {
  it('gives the same frames when long ones are read straight into their memory', () => {
    const sizes = fc.array(fc.oneof(fc.nat(50), fc.integer({ min: 30_000, max: 300_000 })), { maxLength: 8 })
    fc.assert(
      fc.property(
        sizes,
        fc.infiniteStream(fc.integer({ min: 1, max: 70_000 })),
        fc.nat(400_000),
        (frames, steps, reserveBytes) => {
          const bodies = frames.map((size, index) => Buffer.alloc(size, `frame ${index} `))
          const stream = Buffer.concat(bodies.map(framed))
          const splitter = new FrameSplitter(1_000_000, { reserveBytes, reusesChunks: true })
          const common = Buffer.alloc(64 * 1024)
          const got: Buffer[] = []
          let direct = 0
          for (let position = 0; position < stream.length;) {
            const { room } = splitter
            const memory = room ?? common
            const count = stream.copy(memory, 0, position, position + Math.min(steps.next().value, memory.length))
            if (room !== null) direct++
            splitter.push(memory.subarray(0, count), (frame) => got.push(frame))
            position += count
          }
          expect(got.map(({ length }) => length)).toEqual(frames)
          expect(got.every((frame, index) => frame.equals(bodies[index]!))).toBe(true)
          expect(splitter.room).toBeNull()
          if (frames.some((size) => size > 150_000) && reserveBytes > 300_000) expect(direct).toBeGreaterThan(0)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('gives the same frames however the stream is cut', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 12 })
    fc.assert(
      fc.property(bodies, fc.array(fc.nat(1000), { maxLength: 40 }), fc.nat(100), (frames, places, reserveBytes) => {
        const stream = Buffer.concat(frames.map(framed))
        const splitter = new FrameSplitter(LIMIT, { reserveBytes })
        expect(split(splitter, cut(stream, places))).toEqual(frames.map((frame) => Buffer.from(frame).toString('hex')))
        expect(splitter.bufferedBytes).toBe(0)
      }),
      { numRuns: 1000 },
    )
  })

  it('holds exactly what has come of an unfinished frame', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.nat(203),
        fc.array(fc.nat(1000), { maxLength: 20 }),
        (body, length, places) => {
          const stream = framed(body)
          const part = stream.subarray(0, Math.min(length, stream.length - 1))
          const splitter = new FrameSplitter(LIMIT)
          expect(split(splitter, cut(part, places))).toEqual([])
          // The length is not held any more once it is known.
          expect(splitter.bufferedBytes).toBe(part.length < 4 ? part.length : part.length - 4)
        },
      ),
    )
  })

  it('hands out a frame within one chunk without a copy', () => {
    const chunk = framed(Buffer.from('abcdef'))
    new FrameSplitter(LIMIT).push(chunk, (frame) => {
      expect(frame.buffer).toBe(chunk.buffer)
      expect(frame.byteOffset).toBe(chunk.byteOffset + 4)
    })
    expect.assertions(2)
  })

  it.each([
    [LIMIT + 1, 'beyond the limit'],
    [0x7fffffff, 'the longest'],
    [-1, 'negative'],
    [-0x80000000, 'the most negative'],
  ])('refuses a length of %i (%s) before it has any of its bytes', (length) => {
    const header = Buffer.alloc(4)
    header.writeInt32BE(length)
    for (const places of [[], [1, 2, 3], [2]]) {
      const splitter = new FrameSplitter(LIMIT)
      expect(() => split(splitter, cut(header, places))).toThrow(
        expect.objectContaining({
          code: 'FRAME_TOO_LARGE',
          message: expect.stringContaining(`${length} bytes; the limit is ${LIMIT}`),
        }),
      )
      expect(splitter.bufferedBytes).toBe(0)
    }
  })

  it('takes a frame of exactly the limit', () => {
    const body = Buffer.alloc(LIMIT, 7)
    expect(split(new FrameSplitter(LIMIT), [framed(body)])).toEqual([body.toString('hex')])
  })

  it('explains what speaks another protocol', () => {
    expect(() => new FrameSplitter(LIMIT).push(Buffer.from('HTTP/1.1 400 Bad Request\r\n'), () => {})).toThrow(ProtocolError)
  })

  it('collects a frame that trickles in byte by byte', () => {
    const body = Buffer.from(Array.from({ length: 3000 }, (_, index) => index % 251))
    const stream = framed(body)
    const splitter = new FrameSplitter(body.length, { reserveBytes: 16 })
    const frames = split(
      splitter,
      Array.from(stream, (_, index) => stream.subarray(index, index + 1)),
    )
    expect(frames).toEqual([body.toString('hex')])
  })

  it('keeps no view of a chunk whose memory is used again', () => {
    const splitter = new FrameSplitter(LIMIT, { reusesChunks: true })
    const memory = Buffer.alloc(64)
    const frames: Buffer[] = []
    for (const text of ['first', 'second', 'third']) {
      const length = framed(Buffer.from(text)).copy(memory)
      splitter.push(memory.subarray(0, length), (frame) => frames.push(frame))
    }
    expect(frames.map(String)).toEqual(['first', 'second', 'third'])
  })
})
