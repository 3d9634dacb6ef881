import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { CLIENT_MESSAGES, DATA_MESSAGES, SERVER_MESSAGES } from '../codegen/data-messages.ts'
import { kebabName, parseVersions, readSchemas } from '../codegen/schema.ts'
import type { DataSchema } from '../codegen/schema.ts'
import { ProtocolError } from '../src/kafka-error.ts'
import { Reader } from '../src/wire/reader.ts'
import { Writer } from '../src/wire/writer.ts'
import { readVectors } from './vector-file.ts'
import type { Vector } from './vector-file.ts'

const vectors = new Map([...readVectors('client-data'), ...readVectors('server-data')])
const schemas = readSchemas<DataSchema>(join(import.meta.dirname, '..', 'schemas', 'data'))

type Encode = (writer: Writer, message: unknown, version: number) => void
type Decode = (reader: Reader, version: number) => unknown

describe('the data messages', () => {
  it('have a schema and vectors of every version', () => {
    expect(schemas.map((schema) => schema.name).sort()).toEqual([...CLIENT_MESSAGES.keys(), ...SERVER_MESSAGES.keys()].sort())
    for (const schema of schemas) {
      const range = parseVersions(schema.versions)!
      const versions = new Set(plain(schema.name).map((vector) => vector.version))
      expect([...versions], schema.name).toEqual(
        Array.from({ length: range.max - range.min + 1 }, (_, index) => range.min + index),
      )
    }
  })
})

describe.each(schemas.map((schema) => ({ name: schema.name, schema })))('$name', ({ name, schema }) => {
  it('reads and writes what Kafka writes', async () => {
    const { encode, decode } = await load(name, schema)
    for (const vector of plain(name)) {
      const reader = new Reader(vector.bytes)
      const value = decode(reader, vector.version)
      if (!isDeepStrictEqual(value, vector.value)) expect(value, `v${vector.version}`).toStrictEqual(vector.value)
      expect(reader.remaining).toBe(0)
      if (!vector.unknownTags) expect(write(encode, vector)).toBe(vector.bytes.toString('hex'))
    }
  })

  it('drops and refuses the same fields that a version does not have', async () => {
    const { encode } = await load(name, schema)
    for (const vector of vectors.get(name)!.filter((candidate) => candidate.foreign !== null)) {
      if (vector.foreign === 'dropped') expect(write(encode, vector)).toBe(vector.bytes.toString('hex'))
      else expect(() => write(encode, vector), `v${vector.version}`).toThrow(ProtocolError)
    }
  })

  it('refuses versions that it does not have', async () => {
    const { encode, decode } = await load(name, schema)
    const { min, max } = parseVersions(schema.versions)!
    const { value, bytes } = plain(name)[0]!
    for (const version of [min - 1, max + 1]) {
      expect(() => encode(new Writer(), value, version)).toThrow(`${name} has no version ${version}`)
      expect(() => decode(new Reader(bytes), version)).toThrow(`${name} has no version ${version}`)
    }
  })
})

async function load(name: string, schema: DataSchema): Promise<{ encode: Encode; decode: Decode }> {
  const owner = DATA_MESSAGES.get(name)!
  const file = `../../${owner}/src/generated/${kebabName(name)}.ts`
  const module = (await import(file)) as Record<string, unknown>
  const { min, max } = parseVersions(schema.versions)!
  const prefix = Object.keys(module)
    .find((key) => key.endsWith('_MIN_VERSION'))!
    .replace('_MIN_VERSION', '')
  expect([module[`${prefix}_TYPE`], module[`${prefix}_MIN_VERSION`], module[`${prefix}_MAX_VERSION`]]).toEqual([
    schema.key,
    min,
    max,
  ])
  return { encode: module[`encode${name}`] as Encode, decode: module[`decode${name}`] as Decode }
}

function write(encode: Encode, vector: Vector): string {
  const writer = new Writer()
  encode(writer, vector.value, vector.version)
  return writer.toBuffer().toString('hex')
}

function plain(name: string): Vector[] {
  return vectors.get(name)!.filter((vector) => vector.foreign === null)
}
