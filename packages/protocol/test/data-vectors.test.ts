import { join } from 'node:path'
import { inspect, isDeepStrictEqual } from 'node:util'
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
    const covered = [...vectors].map(([name]) => [name, [...new Set(plain(name).map((vector) => vector.version))]])
    expect(Object.fromEntries(covered)).toEqual(Object.fromEntries(schemas.map((schema) => [schema.name, versionsOf(schema)])))
  })
})

describe.each(schemas.map((schema) => ({ name: schema.name, schema })))('$name', ({ name, schema }) => {
  it('reads and writes what Kafka writes', async () => {
    const { encode, decode } = await load(name, schema)
    const problems = plain(name).flatMap((vector) => {
      const reader = new Reader(vector.bytes)
      const value = decode(reader, vector.version)
      const same = isDeepStrictEqual(value, vector.value) && reader.remaining === 0
      const written = vector.unknownTags || writtenBy(encode, vector) === vector.bytes.toString('hex')
      return same && written ? [] : [`v${vector.version} of ${vector.bytes.toString('hex')}: ${inspect(value, { depth: 20 })}`]
    })
    expect(problems).toEqual([])
  })

  it('drops and refuses the same fields that a version does not have', async () => {
    const { encode } = await load(name, schema)
    const foreign = vectors.get(name)!.filter((vector) => vector.foreign !== null)
    expect(foreign.map((vector) => writtenBy(encode, vector))).toEqual(
      foreign.map((vector) => (vector.foreign === 'refused' ? 'UNSUPPORTED_FIELD' : vector.bytes.toString('hex'))),
    )
  })

  it('refuses versions that it does not have', async () => {
    const { encode, decode } = await load(name, schema)
    const { min, max } = parseVersions(schema.versions)!
    const [{ value, bytes }] = plain(name) as [Vector]
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

function writtenBy(encode: Encode, vector: Vector): string {
  const writer = new Writer()
  try {
    encode(writer, vector.value, vector.version)
  } catch (error) {
    return error instanceof ProtocolError ? error.code : String(error)
  }
  return writer.toBuffer().toString('hex')
}

function versionsOf(schema: DataSchema): number[] {
  const { min, max } = parseVersions(schema.versions)!
  return Array.from({ length: max - min + 1 }, (_, index) => min + index)
}

function plain(name: string): Vector[] {
  return vectors.get(name)!.filter((vector) => vector.foreign === null)
}
