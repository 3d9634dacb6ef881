import { isFlexible, minimumBytes, structOf } from './model.ts'
import type { Field, FieldType, Message, Struct } from './model.ts'
import { contains } from './schema.ts'
import { defaultText, segmentsOf } from './values.ts'
import type { Segment, TypeNames } from './values.ts'

const FIXED_READERS: Readonly<Record<string, string>> = {
  bool: 'boolean',
  int8: 'int8',
  int16: 'int16',
  uint16: 'uint16',
  int32: 'int32',
  uint32: 'uint32',
  int64: 'int64',
  float64: 'float64',
  uuid: 'uuid',
}

const LENGTH_READERS: Readonly<Record<string, string>> = { string: 'String', bytes: 'Bytes', records: 'Bytes' }

export function emitDecode(message: Message, struct: Struct, names: TypeNames, exported: boolean): string {
  const name = names.get(struct.name)!
  const values = struct.fields.map((field) =>
    `    ${field.name}: ${valueText(message, struct, field, names)},`.replace(': \n', ':\n'),
  )
  const literal = values.length === 0 ? '{}' : `{\n${values.join('\n')}\n  }`
  const head = `${exported ? 'export ' : ''}function decode${name}(reader: Reader, version: number): ${name} {`
  const tagged = struct.fields.filter((field) => field.tagged !== null)
  const flexibleFrom = Math.max(message.flexibleSince, struct.min)
  if (flexibleFrom > struct.max) return `${head}\n${unusedVersion(values)}  return ${literal}\n}\n`
  const guard = flexibleFrom > struct.min ? `if (version >= ${flexibleFrom}) ` : ''
  const tags = tagged.length === 0 ? `  ${guard}reader.skipTaggedFields()\n` : tagLoop(message, struct, tagged, guard, names)
  return `${head}\n${unusedVersion([...values, tags])}  const message: ${name} = ${literal}\n${tags}  return message\n}\n`
}

export function emitDecodeList(struct: Struct, names: TypeNames): string {
  const name = names.get(struct.name)!
  return `function decode${name}List(reader: Reader, version: number, count: number): ${name}[] {
  const list = newList<${name}>(count)
  for (let index = 0; index < count; index++) list[index] = decode${name}(reader, version)
  return list
}
`
}

export function emitDecodeNullableList(struct: Struct, names: TypeNames): string {
  const name = names.get(struct.name)!
  return `function decodeNullable${name}List(reader: Reader, version: number, count: number): ${name}[] | null {
  return count === -1 ? null : decode${name}List(reader, version, count)
}
`
}

/** Functions that no caller outside the file sees leave out a version that they do not need; the compiler must not mind. */
function unusedVersion(lines: readonly string[]): string {
  return lines.some((line) => /\bversion\b/.test(line)) ? '' : '  void version\n'
}

function valueText(message: Message, struct: Struct, field: Field, names: TypeNames): string {
  const segments = segmentsOf(struct.min, struct.max, (version) => {
    const present = contains(field.versions, version) && !contains(field.tagged, version)
    return present ? readText(message, field, version, struct, names) : defaultText(field, names)
  })
  return choiceText(shareCalls(segments), field.name.length)
}

const LINE_WIDTH = 130

/** `version >= 3 ? … : …`, the highest versions first; over several lines when one is too short. */
function choiceText(segments: readonly Segment[], nameLength: number): string {
  const choices = segments
    .map((segment, index) => (index === 0 ? segment.text : `version >= ${segment.min} ? ${segment.text} : `))
    .reverse()
  const line = choices.join('')
  if (choices.length === 1 || nameLength + line.length + 7 <= LINE_WIDTH) return line
  return `\n      ${choices.map((choice) => choice.trimEnd()).join('\n      ')}`
}

/** Neighbours that call the same list function with another count become one call with a choice of counts. */
function shareCalls(segments: readonly Segment[]): Segment[] {
  const shared: { min: number; call: string | null; text: string; counts: Segment[] }[] = []
  for (const segment of segments) {
    const [, call = null, count = ''] = /^(.+List\((?:reader, version, )?)(reader\..+)\)$/.exec(segment.text) ?? []
    const last = shared.at(-1)
    const part = { min: segment.min, max: segment.max, text: count }
    if (last !== undefined && call !== null && last.call === call) last.counts.push(part)
    else shared.push({ min: segment.min, call, text: segment.text, counts: [part] })
  }
  return shared.map(({ min, call, text, counts }) => ({
    min,
    max: counts.at(-1)!.max,
    text: call === null || counts.length === 1 ? text : `${call}${choiceText(counts, 0)})`,
  }))
}

function readText(message: Message, field: Field, version: number, struct: Struct, names: TypeNames): string {
  const nullable = contains(field.nullable, version)
  const flexible = isFlexible(message, version)
  if (field.type.kind === 'primitive') return `reader.${primitiveReader(field.type.name, nullable, flexible)}()`
  if (field.type.kind === 'struct') {
    const read = `decode${names.get(field.type.name)!}(reader, version)`
    return nullable ? `reader.int8() < 0 ? null : ${read}` : read
  }
  const count = countText(message, field.type.of, version, struct, nullable)
  if (field.type.of.kind === 'struct') {
    return `decode${nullable ? 'Nullable' : ''}${names.get(field.type.of.name)!}List(reader, version, ${count})`
  }
  if (field.type.of.kind === 'array') throw new Error(`${field.name}: an array of arrays`)
  return `reader.${nullable ? 'nullable' : ''}${listName(field.type.of.name, flexible, nullable)}(${count})`
}

/** The count is checked against the fewest bytes that its elements can take in the versions of the same form. */
function countText(message: Message, element: FieldType, version: number, struct: Struct, nullable: boolean): string {
  const flexible = isFlexible(message, version)
  let bytes = Infinity
  const low = element.kind === 'struct' ? Math.max(struct.min, structOf(message, element).min) : struct.min
  for (let at = low; at <= struct.max; at++) {
    if (isFlexible(message, at) === flexible) bytes = Math.min(bytes, minimumBytes(message, element, false, at))
  }
  if (!(bytes >= 1)) throw new Error(`${struct.name}: elements that take no bytes`)
  const prefix = nullable ? 'nullable' : ''
  const name = flexible ? 'CompactArrayLength' : 'ArrayLength'
  return `reader.${prefix === '' ? name.charAt(0).toLowerCase() + name.slice(1) : prefix + name}(${bytes})`
}

function primitiveReader(type: string, nullable: boolean, flexible: boolean): string {
  const fixed = FIXED_READERS[type]
  if (fixed !== undefined) return fixed
  const name = `${nullable ? 'Nullable' : ''}${LENGTH_READERS[type]!}`
  return flexible ? `compact${name}` : name.charAt(0).toLowerCase() + name.slice(1)
}

function listName(type: string, flexible: boolean, nullable: boolean): string {
  const name = type === 'string' && flexible ? 'compactStringList' : `${type}List`
  return nullable ? name.charAt(0).toUpperCase() + name.slice(1) : name
}

/** The one quirk of tagged fields: what says whether a struct is null is an unsigned varint there, 0 or 1. */
function taggedReadText(message: Message, field: Field, struct: Struct, names: TypeNames): string {
  if (field.type.kind !== 'struct' || field.nullable === null) return readText(message, field, struct.max, struct, names)
  return `reader.unsignedVarint() === 0 ? null : decode${names.get(field.type.name)!}(reader, version)`
}

function tagLoop(message: Message, struct: Struct, tagged: readonly Field[], guard: string, names: TypeNames): string {
  const branches = [...tagged]
    .sort((left, right) => left.tag! - right.tag!)
    .map((field) => {
      const from = Math.max(field.tagged!.min, field.versions.min)
      const since = from > Math.max(struct.min, message.flexibleSince) ? ` && version >= ${from}` : ''
      const read = taggedReadText(message, field, struct, names)
      return `if (tag === ${field.tag}${since}) message.${field.name} = ${read}\n`
    })
  const indent = guard === '' ? '  ' : '    '
  const loop = `${indent}for (let left = reader.taggedFieldCount(); left > 0; left--) {
${indent}  const tag = reader.unsignedVarint()
${indent}  const end = reader.taggedFieldEnd()
${indent}  ${branches.join(`${indent}  else `)}${indent}  else reader.position = end
${indent}  reader.leaveTaggedField(end)
${indent}}
`
  return guard === '' ? loop : `  ${guard}{\n${loop}  }\n`
}
