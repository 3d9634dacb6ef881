import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The facts that we keep of one field of one of Kafka's message definitions. */
export interface FieldSchema {
  name: string
  type: string
  versions: string
  nullableVersions?: string
  taggedVersions?: string
  tag?: number
  default?: string | number | boolean | null
  ignorable?: boolean
  mapKey?: boolean
  entityType?: string
  fields?: FieldSchema[]
}

export interface StructSchema {
  name: string
  versions: string
  fields: FieldSchema[]
}

export interface MessageSchema {
  name: string
  versions: string
  flexible: string
  fields: FieldSchema[]
  structs?: StructSchema[]
}

/** schemas/apis/<name>.json: one API with both its messages. */
export interface ApiSchema {
  key: number
  name: string
  latestVersionUnstable?: boolean
  listeners?: string[]
  request: MessageSchema
  response: MessageSchema
}

/** schemas/data/<name>.json: one message that is no API: a record's key or value, or an embedded structure. */
export interface DataSchema extends MessageSchema {
  /** Kafka's `apiKey`, the type id that precedes such a record; absent where there is none. */
  key?: number
}

export interface VersionRange {
  readonly min: number
  readonly max: number
}

/** Kafka's notation: `0`, `3-5`, `2+`, `none`. */
export function parseVersions(text: string): VersionRange | null {
  if (text === 'none') return null
  const open = /^(\d+)\+$/.exec(text)
  if (open) return { min: Number(open[1]), max: Infinity }
  const closed = /^(\d+)-(\d+)$/.exec(text)
  if (closed) return { min: Number(closed[1]), max: Number(closed[2]) }
  if (/^\d+$/.test(text)) return { min: Number(text), max: Number(text) }
  throw new Error(`not a version range: ${JSON.stringify(text)}`)
}

export function contains(range: VersionRange | null, version: number): boolean {
  return range !== null && version >= range.min && version <= range.max
}

/** `InitProducerId` => `init-producer-id`. */
export function kebabName(name: string): string {
  return name
    .replace('KRaft', 'Kraft')
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
}

/** Kafka's own rule for Java: only the first letter changes. */
export function camelName(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1)
}

export function readSchemas<Schema>(directory: string): Schema[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => JSON.parse(readFileSync(join(directory, file), 'utf8')) as Schema)
}
