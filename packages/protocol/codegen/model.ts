import { camelName, contains, parseVersions } from './schema.ts'
import type { FieldSchema, MessageSchema, StructSchema, VersionRange } from './schema.ts'

export type FieldType =
  | { readonly kind: 'primitive'; readonly name: string }
  | { readonly kind: 'struct'; readonly name: string }
  | { readonly kind: 'array'; readonly of: FieldType }

export interface Field {
  readonly name: string
  readonly type: FieldType
  readonly versions: VersionRange
  readonly nullable: VersionRange | null
  readonly tagged: VersionRange | null
  readonly tag: number | null
  readonly ignorable: boolean
  readonly default: string | null
}

export interface Struct {
  /** Kafka's name. */
  readonly name: string
  readonly fields: readonly Field[]
  /** The versions of the message in which the struct can occur. */
  min: number
  max: number
}

/** One message with all the structs that it consists of, itself first. */
export interface Message {
  readonly root: Struct
  readonly structs: ReadonlyMap<string, Struct>
  readonly min: number
  readonly max: number
  readonly flexibleSince: number
}

const PRIMITIVES = new Set([
  'bool',
  'int8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'float64',
  'uuid',
  'string',
  'bytes',
  'records',
])

export function buildMessage(schema: MessageSchema, rootName: string): Message {
  const valid = parseVersions(schema.versions)
  if (valid === null) throw new Error(`${rootName} has no valid version`)
  const flexible = parseVersions(schema.flexible)
  if (flexible !== null && flexible.max !== Infinity) throw new Error(`${rootName}: flexible versions end`)
  const schemas = new Map<string, StructSchema>()
  collectStructs([{ name: rootName, versions: schema.versions, fields: schema.fields }, ...(schema.structs ?? [])], schemas)
  const structs = new Map<string, Struct>()
  for (const [name, struct] of schemas) {
    structs.set(name, { name, fields: struct.fields.map(buildField), min: Infinity, max: -Infinity })
  }
  const root = structs.get(rootName)!
  widen(structs, root, valid.min, valid.max)
  return { root, structs, min: valid.min, max: valid.max, flexibleSince: flexible?.min ?? Infinity }
}

export function isFlexible(message: Message, version: number): boolean {
  return version >= message.flexibleSince
}

export function structOf(message: Message, type: FieldType & { kind: 'struct' }): Struct {
  return message.structs.get(type.name)!
}

/** The fewest bytes that a value of this type can take at this version: what bounds the count before an array. */
export function minimumBytes(message: Message, type: FieldType, nullable: boolean, version: number): number {
  const flexible = isFlexible(message, version)
  if (type.kind === 'array') return flexible ? 1 : 4
  if (type.kind === 'primitive') return primitiveBytes(type.name, flexible)
  if (nullable) return 1
  let bytes = flexible ? 1 : 0
  for (const field of structOf(message, type).fields) {
    if (!contains(field.versions, version) || contains(field.tagged, version)) continue
    bytes += minimumBytes(message, field.type, contains(field.nullable, version), version)
  }
  return bytes
}

function primitiveBytes(name: string, flexible: boolean): number {
  if (name === 'bool' || name === 'int8') return 1
  if (name === 'int16' || name === 'uint16') return 2
  if (name === 'int32' || name === 'uint32') return 4
  if (name === 'int64' || name === 'float64') return 8
  if (name === 'uuid') return 16
  if (name === 'string') return flexible ? 1 : 2
  return flexible ? 1 : 4
}

function collectStructs(found: readonly StructSchema[], into: Map<string, StructSchema>): void {
  for (const struct of found) {
    if (into.has(struct.name)) throw new Error(`struct ${struct.name} is defined twice`)
    into.set(struct.name, struct)
    for (const field of struct.fields) {
      if (field.fields === undefined) continue
      collectStructs([{ name: field.type.replace('[]', ''), versions: field.versions, fields: field.fields }], into)
    }
  }
}

function buildField(schema: FieldSchema): Field {
  const versions = parseVersions(schema.versions)
  if (versions === null) throw new Error(`field ${schema.name} has no version`)
  return {
    name: camelName(schema.name),
    type: buildType(schema.type),
    versions,
    nullable: parseVersions(schema.nullableVersions ?? 'none'),
    tagged: parseVersions(schema.taggedVersions ?? 'none'),
    tag: schema.tag ?? null,
    ignorable: schema.ignorable ?? false,
    default: schema.default === undefined ? null : String(schema.default),
  }
}

function buildType(text: string): FieldType {
  if (text.startsWith('[]')) return { kind: 'array', of: buildType(text.slice(2)) }
  if (PRIMITIVES.has(text)) return { kind: 'primitive', name: text }
  if (!/^[A-Z]\w*$/.test(text)) throw new Error(`unknown type ${text}`)
  return { kind: 'struct', name: text }
}

/** Widens the versions of a struct, and of those below it, to what its users reach. */
function widen(structs: ReadonlyMap<string, Struct>, struct: Struct, min: number, max: number): void {
  struct.min = Math.min(struct.min, min)
  struct.max = Math.max(struct.max, max)
  for (const field of struct.fields) {
    const inner = field.type.kind === 'array' ? field.type.of : field.type
    if (inner.kind !== 'struct') continue
    const below = structs.get(inner.name)
    if (below === undefined) throw new Error(`unknown struct ${inner.name}`)
    const low = Math.max(min, field.versions.min)
    const high = Math.min(max, field.versions.max)
    if (low <= high) widen(structs, below, low, high)
  }
}
