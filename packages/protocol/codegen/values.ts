import { structOf } from './model.ts'
import type { Field, FieldType, Message } from './model.ts'

/** How the structs of one file are called in TypeScript. */
export type TypeNames = ReadonlyMap<string, string>

const TYPES: Readonly<Record<string, string>> = {
  bool: 'boolean',
  int8: 'number',
  int16: 'number',
  uint16: 'number',
  int32: 'number',
  uint32: 'number',
  int64: 'bigint',
  float64: 'number',
  uuid: 'string',
  string: 'string',
  bytes: 'Buffer',
  records: 'Buffer',
}

export function typeText(type: FieldType, names: TypeNames): string {
  if (type.kind === 'array') return `${typeText(type.of, names)}[]`
  return type.kind === 'struct' ? names.get(type.name)! : TYPES[type.name]!
}

export function fieldTypeText(field: Field, names: TypeNames): string {
  return `${typeText(field.type, names)}${canBeNull(field) ? ' | null' : ''}`
}

export function canBeNull(field: Field): boolean {
  return field.nullable !== null || defaultsToNull(field)
}

/** Absent records are null in Kafka, whatever the definition says. */
export function defaultsToNull(field: Field): boolean {
  return field.default === 'null' || (field.type.kind === 'primitive' && field.type.name === 'records')
}

/** The value of a field that a version does not carry, as an expression. */
export function defaultText(field: Field, names: TypeNames): string {
  if (defaultsToNull(field)) return 'null'
  if (field.type.kind === 'array') return '[]'
  if (field.type.kind === 'struct') return `default${names.get(field.type.name)!}()`
  return primitiveDefaultText(field.type.name, field.default)
}

function primitiveDefaultText(type: string, text: string | null): string {
  if (type === 'bool') return text === 'true' ? 'true' : 'false'
  if (type === 'string') return stringText(text ?? '')
  if (type === 'uuid') {
    if (text !== null) throw new Error(`default of a uuid: ${text}`)
    return 'ZERO_UUID'
  }
  if (type === 'bytes') {
    if (text !== null && text !== '') throw new Error(`default of bytes: ${text}`)
    return 'EMPTY_BYTES'
  }
  if (type === 'int64') return `${BigInt(text ?? 0)}n`
  const value = Number(text ?? 0)
  if (Number.isNaN(value)) throw new Error(`default of ${type}: ${text}`)
  return String(value)
}

export function stringText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

/** A condition that holds when the value is not its default. */
export function differsText(message: Message, field: Field, value: string, names: TypeNames): string {
  if (defaultsToNull(field)) return `${value} !== null`
  const filled = field.type.kind === 'array' || (field.type.kind === 'primitive' && field.type.name === 'bytes')
  if (filled) return canBeNull(field) ? `(${value} === null || ${value}.length !== 0)` : `${value}.length !== 0`
  if (field.type.kind === 'struct') return structDiffersText(message, field, field.type, value, names)
  const fallback = defaultText(field, names)
  if (fallback === 'false') return value
  return fallback === 'true' ? `!${value}` : `${value} !== ${fallback}`
}

function structDiffersText(
  message: Message,
  field: Field,
  type: FieldType & { kind: 'struct' },
  value: string,
  names: TypeNames,
): string {
  const parts = structOf(message, type).fields.map((inner) => differsText(message, inner, `${value}.${inner.name}`, names))
  if (canBeNull(field)) parts.unshift(`${value} === null`)
  return `(${parts.join(' || ')})`
}

export interface Segment {
  readonly min: number
  readonly max: number
  readonly text: string
}

/** The version ranges over which a text stays the same, lowest first. */
export function segmentsOf(min: number, max: number, textAt: (version: number) => string): Segment[] {
  const segments: Segment[] = []
  for (let version = min; version <= max; version++) {
    const text = textAt(version)
    const last = segments.at(-1)
    if (last !== undefined && last.text === text) segments[segments.length - 1] = { ...last, max: version }
    else segments.push({ min: version, max: version, text })
  }
  return segments
}
