import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'

/** One message as Kafka's own classes wrote it; vectors/java/…/Vectors.java says what the letters stand for. */
export interface Vector {
  readonly message: string
  readonly version: number
  readonly bytes: Buffer
  readonly value: unknown
  /** Holds tagged fields that no version defines, so that it can only be decoded. */
  readonly unknownTags: boolean
  /** Sets fields that the version does not have, so that it can only be encoded: what Kafka does then. */
  readonly foreign: 'dropped' | 'refused' | null
  readonly header: {
    readonly apiKey: number
    readonly bytes: Buffer
    readonly correlationId: number
    readonly clientId: string | null
  } | null
}

interface Line {
  m: string
  v: number
  b: string
  x: unknown
  u?: 1
  f?: 'dropped' | 'refused'
  k?: number
  h?: string
  c?: number
  i?: string | null
}

export function readVectors(name: 'apis' | 'client-data' | 'server-data'): Map<string, Vector[]> {
  const file = join(import.meta.dirname, '..', 'vectors', `${name}.jsonl.br`)
  const byMessage = new Map<string, Vector[]>()
  for (const text of brotliDecompressSync(readFileSync(file)).toString().trimEnd().split('\n')) {
    const vector = readVector(JSON.parse(text) as Line)
    const list = byMessage.get(vector.message)
    if (list === undefined) byMessage.set(vector.message, [vector])
    else list.push(vector)
  }
  return byMessage
}

function readVector(line: Line): Vector {
  const header =
    line.k === undefined
      ? null
      : { apiKey: line.k, bytes: Buffer.from(line.h!, 'hex'), correlationId: line.c!, clientId: line.i ?? null }
  return {
    message: line.m,
    version: line.v,
    bytes: Buffer.from(line.b, 'hex'),
    value: readValue(line.x),
    unknownTags: line.u === 1,
    foreign: line.f ?? null,
    header,
  }
}

/** Text begins with ', bytes with #, and any other string is an int64. */
function readValue(value: unknown): unknown {
  if (typeof value === 'string') {
    if (value.startsWith("'")) return value.slice(1)
    return value.startsWith('#') ? Buffer.from(value.slice(1), 'hex') : BigInt(value)
  }
  if (Array.isArray(value)) return value.map(readValue)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, readValue(inner)]))
}
