import { describe, expect, it } from 'vitest'
import { decodeRequestBody, decodeResponseBody } from '../src/frame.ts'
import { ALL_APIS } from '../src/generated/all-apis.ts'
import { ProtocolError } from '../src/kafka-error.ts'
import { Reader } from '../src/wire/reader.ts'
import { allDecoders } from './decoders.ts'
import type { Decode } from './decoders.ts'
import { readVectors } from './vector-file.ts'
import type { Vector } from './vector-file.ts'

const NIGHTLY = process.env['MILLRACE_NIGHTLY'] === '1'
const SEED = Number(process.env['MILLRACE_SEED'] ?? (NIGHTLY ? Date.now() % 2 ** 31 : 1))
/** Random corruptions of each vector. */
const RANDOM_ROUNDS = NIGHTLY ? 500 : 40
/** Of each message and version the longest of a fair size, which has the most lengths and counts in it; or all of them. */
const VECTORS_EACH = NIGHTLY ? Infinity : 1
const FAIR_BYTES = 400

/** What hurts most where a length, a count, a size or a tag is expected. */
const POISONS = ['ffffffff0f', '7fffffff', '80000000', 'ffff', '7fff', '00', '01', 'ff7f', 'ffffffffffff']

// A hundred thousand errors are thrown here; their stacks would take most of the time.
Error.stackTraceLimit = 0

const decoders = await allDecoders()
const vectors = new Map([...readVectors('apis'), ...readVectors('client-data'), ...readVectors('server-data')])

describe(`decoding corrupt bytes (seed ${SEED})`, () => {
  it('is tried for every message', () => {
    expect([...vectors.keys()].sort()).toEqual([...decoders.keys()].sort())
  })

  it('refuses every message that ends too early, at every byte', () => {
    const problems: string[] = []
    for (const [decode, vector] of chosen()) {
      for (let length = 0; length < vector.bytes.length; length++) {
        const part = vector.bytes.subarray(0, length)
        if (outcome(decode, part, vector) !== 'corrupt') problems.push(where(vector, part))
      }
    }
    expect(problems).toEqual([])
  })

  it('refuses or survives bytes that were overwritten with lengths and counts of the worst kind', () => {
    let refused = 0
    let tried = 0
    for (const [decode, vector] of chosen()) {
      const step = 1 + Math.floor(vector.bytes.length / (NIGHTLY ? 200 : 50))
      for (let at = 0; at < vector.bytes.length; at += step) {
        for (const poison of POISONS) {
          const bytes = Buffer.from(vector.bytes)
          bytes.write(poison, at, 'hex')
          tried++
          if (outcome(decode, bytes, vector) === 'corrupt') refused++
        }
      }
    }
    // Most of them hit some length; if almost none did, the poison no longer works.
    expect(refused / tried).toBeGreaterThan(0.05)
  })

  it('refuses or survives random corruptions', () => {
    const random = generator(SEED)
    const outcomes = { read: 0, corrupt: 0 }
    for (const [decode, vector] of chosen()) {
      for (let round = 0; round < RANDOM_ROUNDS; round++) outcomes[outcome(decode, corrupt(vector.bytes, random), vector)]++
    }
    expect(outcomes.read).toBeGreaterThan(1000)
    expect(outcomes.corrupt).toBeGreaterThan(1000)
  })

  it('refuses bytes after the end of a response, but lets them pass after a request as Kafka does', () => {
    const problems: string[] = []
    for (const api of ALL_APIS) {
      for (const vector of vectors.get(`${api.name}Response`)!) {
        if (vector.foreign !== null) continue
        const body = Buffer.concat([vector.header!.bytes.subarray(4), vector.bytes, Buffer.from([0])])
        const read = outcome((reader, version) => decodeResponseBody(api, version, reader), body, vector)
        if (read !== 'corrupt') problems.push(where(vector, body))
      }
      for (const vector of vectors.get(`${api.name}Request`)!) {
        if (vector.foreign !== null) continue
        const start = 10 + Buffer.byteLength(vector.header!.clientId ?? '')
        const body = Buffer.concat([vector.header!.bytes.subarray(start), vector.bytes, Buffer.from([0])])
        const read = outcome((reader, version) => decodeRequestBody(api, version, reader), body, vector)
        if (read !== 'read') problems.push(where(vector, body))
      }
    }
    expect(problems).toEqual([])
  })
})

/** The vectors to work on, with their decoders. */
function* chosen(): Generator<[Decode, Vector]> {
  for (const [message, list] of vectors) {
    const taken = new Map<number, number>()
    const bestFirst = list.filter((vector) => vector.foreign === null).sort((left, right) => rank(left) - rank(right))
    for (const vector of bestFirst) {
      const count = taken.get(vector.version) ?? 0
      if (count >= VECTORS_EACH) continue
      taken.set(vector.version, count + 1)
      yield [decoders.get(message)!, vector]
    }
  }
}

function rank(vector: Vector): number {
  const excess = vector.bytes.length - FAIR_BYTES
  return excess > 0 ? FAIR_BYTES + excess : -excess
}

function outcome(decode: Decode, bytes: Buffer, vector: Vector): 'read' | 'corrupt' {
  let value: unknown
  try {
    value = decode(new Reader(bytes), vector.version)
  } catch (error) {
    if (error instanceof ProtocolError && error.code === 'CORRUPT_FRAME') return 'corrupt'
    throw new Error(`not a ProtocolError: ${where(vector, bytes)}`, { cause: error })
  }
  const size = sizeOf(value)
  if (size > bytes.length) throw new Error(`${size} elements and bytes out of ${bytes.length}: ${where(vector, bytes)}`)
  return 'read'
}

/** Array elements, characters and bytes, all together: what the frame must have paid for, at a byte each. */
function sizeOf(value: unknown): number {
  if (Buffer.isBuffer(value)) return value.length
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + Math.max(1, sizeOf(item)), 0)
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce<number>((sum, item) => sum + (typeof item === 'string' ? textSize(item) : sizeOf(item)), 0)
}

/** A uuid is 22 characters out of 16 bytes, and out of none where it is absent. */
function textSize(text: string): number {
  return /^[\w-]{22}$/.test(text) ? 0 : text.length
}

function corrupt(bytes: Buffer, random: () => number): Buffer {
  const copy = Buffer.from(bytes)
  for (let change = 1 + Math.floor(random() * 4); change > 0; change--) {
    const at = Math.floor(random() * copy.length)
    if (random() < 0.5) copy[at] = Math.floor(random() * 256)
    else copy[at]! ^= 1 << Math.floor(random() * 8)
  }
  return copy.subarray(0, random() < 0.2 ? Math.floor(random() * copy.length) : copy.length)
}

function where(vector: Vector, bytes: Buffer): string {
  return `${vector.message} v${vector.version}, seed ${SEED}, ${bytes.toString('hex')}`
}

/** mulberry32 */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
