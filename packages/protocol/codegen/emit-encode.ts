import { isFlexible } from './model.ts'
import type { Field, Message, Struct } from './model.ts'
import { contains } from './schema.ts'
import { canBeNull, differsText, segmentsOf, stringText } from './values.ts'
import type { Segment, TypeNames } from './values.ts'

const FIXED_BYTES: Readonly<Record<string, number>> = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
}

const LENGTH_WRITERS: Readonly<Record<string, string>> = { string: 'String', bytes: 'Bytes', records: 'Bytes' }

export function emitEncode(message: Message, struct: Struct, names: TypeNames, exported: boolean): string {
  const name = names.get(struct.name)!
  const lines = groupGuards(
    struct.fields.map((field) => fieldSegments(message, struct, field, names)),
    struct,
  )
  const flexibleFrom = Math.max(message.flexibleSince, struct.min)
  if (flexibleFrom <= struct.max) {
    const guard = flexibleFrom > struct.min ? `version >= ${flexibleFrom}` : ''
    lines.push(...guarded(guard, tagLines(message, struct, names)))
  }
  const text = lines.join('\n')
  const unused = ['message', 'version'].filter((word) => !new RegExp(`\\b${word}\\b`).test(text.replace(/'[^']*'/g, '')))
  const voids = unused.map((word) => `  void ${word}\n`).join('')
  const head = `${exported ? 'export ' : ''}function encode${name}(writer: Writer, message: ${name}, version: number): void {`
  return `${head}\n${voids}${indentLines(lines)}\n}\n`
}

export function emitEncodeList(struct: Struct, names: TypeNames): string {
  const name = names.get(struct.name)!
  return `function encode${name}List(writer: Writer, list: readonly ${name}[], version: number): void {
  for (const item of list) encode${name}(writer, item, version)
}
`
}

function fieldSegments(message: Message, struct: Struct, field: Field, names: TypeNames): Segment[] {
  const value = `message.${field.name}`
  return segmentsOf(struct.min, struct.max, (version) => {
    if (contains(field.versions, version)) {
      return contains(field.tagged, version) ? '' : writeLines(message, struct, field, version, 'writer', names).join('\n')
    }
    if (field.ignorable) return ''
    return `if (${stripParens(differsText(message, field, value, names))}) throw unsupportedField(${quoted(message, field)}, version)`
  })
}

/** Neighbours with the same guards share one `if`. */
function groupGuards(fields: readonly Segment[][], struct: Struct): string[] {
  const lines: string[] = []
  let group: Segment[][] = []
  const flush = (): void => {
    if (group.length > 0) lines.push(...guardedGroup(group, struct))
    group = []
  }
  for (const segments of fields) {
    if (group.length > 0 && boundaries(group[0]!) !== boundaries(segments)) flush()
    group.push(segments)
  }
  flush()
  return lines
}

function boundaries(segments: readonly Segment[]): string {
  return segments.map((segment) => segment.min).join()
}

function guardedGroup(group: readonly Segment[][], struct: Struct): string[] {
  const parts: Part[] = group[0]!.map(({ min, max }, index) => ({
    min,
    max,
    lines: group.flatMap((segments) => textLines(segments[index]!.text)),
  }))
  const tail = takeCommonTail(parts)
  return [...branches(parts.filter((part) => part.lines.length > 0).reverse(), struct), ...tail]
}

interface Part {
  readonly min: number
  readonly max: number
  readonly lines: string[]
}

/** Removes the lines with which every part ends, to stand once after all of them. */
function takeCommonTail(parts: readonly Part[]): string[] {
  const tail: string[] = []
  if (parts.length === 1) return tail
  while (parts[0]!.lines.length > 0 && parts.every((part) => part.lines.at(-1) === parts[0]!.lines.at(-1))) {
    tail.unshift(parts[0]!.lines.at(-1)!)
    for (const part of parts) part.lines.pop()
  }
  return tail
}

function branches(parts: readonly Part[], struct: Struct): string[] {
  if (parts.length === 0) return []
  if (parts.length === 1) return guarded(conditionOf(parts[0]!, struct), parts[0]!.lines)
  const braces = parts.some((part) => part.lines.length > 1 || part.lines[0]!.startsWith('if '))
  const lines: string[] = []
  let above = struct.max
  for (const [index, part] of parts.entries()) {
    const condition = conditionOf(part, { min: struct.min, max: above })
    const last = index > 0 && condition === ''
    const keyword = index === 0 ? `if (${condition})` : last ? 'else' : `else if (${condition})`
    if (braces) lines.push(`${keyword} {`, ...part.lines.map((line) => `  ${line}`), '}')
    else lines.push(`${keyword} ${part.lines[0]!}`)
    if (part.max === above) above = part.min - 1
  }
  return lines.join('\n').replaceAll('}\nelse', '} else').split('\n')
}

function conditionOf(segment: { min: number; max: number }, within: { min: number; max: number }): string {
  const parts: string[] = []
  if (segment.min === segment.max && segment.min > within.min && segment.max < within.max) return `version === ${segment.min}`
  if (segment.min > within.min) parts.push(`version >= ${segment.min}`)
  if (segment.max < within.max) parts.push(`version <= ${segment.max}`)
  return parts.join(' && ')
}

function guarded(condition: string, lines: readonly string[]): string[] {
  if (condition === '') return [...lines]
  if (lines.length === 1 && !lines[0]!.startsWith('if ')) return [`if (${condition}) ${lines[0]}`]
  return [`if (${condition}) {`, ...lines.map((line) => `  ${line}`), '}']
}

function writeLines(message: Message, struct: Struct, field: Field, version: number, writer: string, names: TypeNames): string[] {
  const nullable = contains(field.nullable, version)
  const flexible = isFlexible(message, version)
  const value = `message.${field.name}`
  const check =
    canBeNull(field) && !nullable ? [`if (${value} === null) throw nullField(${quoted(message, field)}, version)`] : []
  if (field.type.kind === 'primitive')
    return [...check, `${writer}.${primitiveWriter(field.type.name, nullable, flexible)}(${value})`]
  if (field.type.kind === 'struct') {
    const write = `encode${names.get(field.type.name)!}(${writer}, ${value}, version)`
    if (!nullable) return [...check, write]
    // Within a tagged field, the mark is an unsigned varint.
    const mark = contains(field.tagged, version)
      ? `unsignedVarint(${value} === null ? 0 : 1)`
      : `int8(${value} === null ? -1 : 1)`
    return [`${writer}.${mark}`, `if (${value} !== null) ${write}`]
  }
  const of = field.type.of
  if (of.kind === 'array') throw new Error(`${struct.name}.${field.name}: an array of arrays`)
  const length = `${writer}.${flexible ? 'compactArrayLength' : 'arrayLength'}`
  const list =
    of.kind === 'struct'
      ? `encode${names.get(of.name)!}List(${writer}, ${value}, version)`
      : `${writer}.${of.name === 'string' && flexible ? 'compactString' : of.name}List(${value})`
  if (!nullable) return [...check, `${length}(${value}.length)`, list]
  return [`${length}(${value} === null ? -1 : ${value}.length)`, `if (${value} !== null) ${list}`]
}

function primitiveWriter(type: string, nullable: boolean, flexible: boolean): string {
  const length = LENGTH_WRITERS[type]
  if (length === undefined) return type === 'bool' ? 'boolean' : type
  const name = `${nullable ? 'Nullable' : ''}${length}`
  return flexible ? `compact${name}` : name.charAt(0).toLowerCase() + name.slice(1)
}

function tagLines(message: Message, struct: Struct, names: TypeNames): string[] {
  const tagged = struct.fields.filter((field) => field.tagged !== null).sort((left, right) => left.tag! - right.tag!)
  if (tagged.length === 0) return ['writer.unsignedVarint(0)']
  const lines: string[] = []
  for (const field of tagged) {
    const from = Math.max(field.tagged!.min, field.versions.min)
    const since = from > Math.max(struct.min, message.flexibleSince) ? `version >= ${from} && ` : ''
    const differs = differsText(message, field, `message.${field.name}`, names)
    lines.push(`const ${presenceName(field)} = ${since}${since === '' ? stripParens(differs) : differs}`)
  }
  lines.push(`writer.unsignedVarint(${tagged.map((field) => `Number(${presenceName(field)})`).join(' + ')})`)
  for (const field of tagged) lines.push(...tagWrite(message, struct, field, names))
  return lines
}

function tagWrite(message: Message, struct: Struct, field: Field, names: TypeNames): string[] {
  const bytes = field.type.kind === 'primitive' ? FIXED_BYTES[field.type.name] : undefined
  const write = (writer: string): string[] =>
    writeLines(message, struct, field, struct.max, writer, names).map((line) => `  ${line}`)
  const body =
    bytes === undefined
      ? [`  const value = new Writer()`, ...write('value'), `  writer.taggedField(${field.tag}, value)`]
      : [`  writer.unsignedVarint(${field.tag})`, `  writer.unsignedVarint(${bytes})`, ...write('writer')]
  return [`if (${presenceName(field)}) {`, ...body, '}']
}

function presenceName(field: Field): string {
  return `has${field.name.charAt(0).toUpperCase()}${field.name.slice(1)}`
}

function quoted(message: Message, field: Field): string {
  return stringText(`${message.root.name}.${field.name}`)
}

function stripParens(text: string): string {
  if (!text.startsWith('(') || !text.endsWith(')')) return text
  let depth = 0
  for (let at = 0; at < text.length - 1; at++) {
    if (text[at] === '(') depth++
    if (text[at] === ')') depth--
    if (depth === 0) return text
  }
  return text.slice(1, -1)
}

function textLines(text: string): string[] {
  return text === '' ? [] : text.split('\n')
}

function indentLines(lines: readonly string[]): string {
  return lines.length === 0 ? '  void writer' : lines.map((line) => `  ${line}`).join('\n')
}
