/**
 * Reads Kafka's message definitions out of its published jars, and its error table out of the class, and keeps the
 * facts in packages/protocol/schemas. Needs Maven, a JDK and `unzip`. For a new Kafka release, change the versions here
 * and in vectors/java/pom.xml, run it, and read the diff.
 *
 *     node packages/protocol/codegen/import-schemas.ts
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CLIENT_MESSAGES, SERVER_MESSAGES } from './data-messages.ts'
import { runJava } from './java.ts'
import { kebabName } from './schema.ts'
import type { ApiSchema, DataSchema, FieldSchema, MessageSchema, StructSchema } from './schema.ts'

const KAFKA_CLIENTS_VERSION = '4.4.0'
/** The newest release whose server jars are published. */
const KAFKA_SERVER_VERSION = '4.3.1'

const SERVER_JARS = ['kafka-group-coordinator', 'kafka-transaction-coordinator', 'kafka-metadata', 'kafka-storage']
const DEFINITION_FOLDERS = ['common/message', 'common/metadata', 'message']
/** Another folder as the first argument leaves the committed files alone. */
const SCHEMAS = process.argv[2] ?? join(import.meta.dirname, '..', 'schemas')

/** What a definition file holds, as far as we read it. */
interface Definition {
  apiKey?: number
  type: string
  name: string
  listeners?: string[]
  validVersions: string
  flexibleVersions: string
  latestVersionUnstable?: boolean
  fields?: FieldSchema[]
  commonStructs?: StructSchema[]
}

function main(): void {
  const work = mkdtempSync(join(tmpdir(), 'kafka-definitions-'))
  try {
    const clients = readJar(work, 'kafka-clients', KAFKA_CLIENTS_VERSION)
    const server = new Map<string, Definition>()
    for (const artifact of SERVER_JARS) {
      for (const [name, definition] of readJar(work, artifact, KAFKA_SERVER_VERSION)) server.set(name, definition)
    }
    rmSync(SCHEMAS, { recursive: true, force: true })
    writeApis(clients)
    writeData(clients, CLIENT_MESSAGES.keys())
    writeData(server, SERVER_MESSAGES.keys())
    writeErrors()
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function readJar(work: string, artifact: string, version: string): Map<string, Definition> {
  const coordinates = `org.apache.kafka:${artifact}:${version}`
  const folder = join(work, artifact)
  mkdirSync(folder)
  execFileSync('mvn', ['-q', 'dependency:copy', `-Dartifact=${coordinates}`, `-DoutputDirectory=${work}`], { stdio: 'inherit' })
  execFileSync('unzip', ['-qo', join(work, `${artifact}-${version}.jar`), '*.json', '-d', folder])
  const definitions = new Map<string, Definition>()
  for (const definitionFolder of DEFINITION_FOLDERS) {
    for (const file of listIfPresent(join(folder, definitionFolder))) {
      const definition = parseDefinition(readFileSync(join(folder, definitionFolder, file), 'utf8'))
      definitions.set(definition.name, definition)
    }
  }
  if (definitions.size === 0) throw new Error(`no message definition in ${coordinates}`)
  return definitions
}

function listIfPresent(folder: string): string[] {
  try {
    return readdirSync(folder).filter((file) => file.endsWith('.json'))
  } catch {
    return []
  }
}

/** Kafka's definitions are JSON with comments of whole lines. */
function parseDefinition(text: string): Definition {
  return JSON.parse(text.replace(/^\s*\/\/.*$/gm, '')) as Definition
}

function writeApis(definitions: ReadonlyMap<string, Definition>): void {
  mkdirSync(join(SCHEMAS, 'apis'), { recursive: true })
  for (const request of definitions.values()) {
    if (request.type !== 'request') continue
    const name = request.name.replace(/Request$/, '')
    const response = definitions.get(`${name}Response`)
    if (request.apiKey === undefined || response === undefined) throw new Error(`${name} is incomplete`)
    // An API whose every version was removed (LeaderAndIsr and its like) keeps its key and nothing else.
    if (request.validVersions === 'none') continue
    const schema: ApiSchema = {
      key: request.apiKey,
      name,
      ...(request.latestVersionUnstable ? { latestVersionUnstable: true } : {}),
      ...(request.listeners ? { listeners: request.listeners } : {}),
      request: keepMessage(request),
      response: keepMessage(response),
    }
    writeFileSync(join(SCHEMAS, 'apis', `${kebabName(name)}.json`), formatSchema(schema))
  }
}

function writeData(definitions: ReadonlyMap<string, Definition>, names: Iterable<string>): void {
  mkdirSync(join(SCHEMAS, 'data'), { recursive: true })
  for (const name of names) {
    const definition = definitions.get(name)
    if (definition === undefined) throw new Error(`no definition of ${name}`)
    const schema: DataSchema = {
      ...(definition.apiKey === undefined ? {} : { key: definition.apiKey }),
      ...keepMessage(definition),
    }
    writeFileSync(join(SCHEMAS, 'data', `${kebabName(name)}.json`), formatSchema(schema))
  }
}

function writeErrors(): void {
  const lines = runJava('ErrorTable', []).trim().split('\n')
  const entries = lines.map((line) => {
    const [code, name, retriable] = line.split(' ')
    return `  { "code": ${code}, "name": ${JSON.stringify(name)}, "retriable": ${retriable} }`
  })
  writeFileSync(join(SCHEMAS, 'errors.json'), `[\n${entries.join(',\n')}\n]\n`)
}

function keepMessage(definition: Definition): MessageSchema {
  const structs = (definition.commonStructs ?? []).map((struct) => ({
    name: struct.name,
    versions: struct.versions,
    fields: struct.fields.map(keepField),
  }))
  return {
    name: definition.name,
    versions: definition.validVersions,
    flexible: definition.flexibleVersions,
    fields: (definition.fields ?? []).map(keepField),
    ...(structs.length > 0 ? { structs } : {}),
  }
}

function keepField(field: FieldSchema): FieldSchema {
  if ('flexibleVersions' in field) throw new Error(`field ${field.name} has flexible versions of its own`)
  return {
    name: field.name,
    type: field.type,
    // A tagged field without versions has those in which it is tagged.
    versions: field.versions ?? field.taggedVersions!,
    ...(field.nullableVersions === undefined ? {} : { nullableVersions: field.nullableVersions }),
    ...(field.taggedVersions === undefined ? {} : { taggedVersions: field.taggedVersions }),
    ...(field.tag === undefined ? {} : { tag: field.tag }),
    // To Kafka's generator, a null of JSON is no default at all; the one that means null is the string.
    ...(field.default === undefined || field.default === null ? {} : { default: field.default }),
    ...(field.ignorable ? { ignorable: true } : {}),
    ...(field.mapKey ? { mapKey: true } : {}),
    ...(field.entityType === undefined ? {} : { entityType: field.entityType }),
    ...(field.fields === undefined ? {} : { fields: field.fields.map(keepField) }),
  }
}

/** JSON with one line per field, so that a new release reads as a diff of fields. */
function formatSchema(schema: object, indent = ''): string {
  const lines = Object.entries(schema).map(
    ([key, value]) => `${indent}  ${JSON.stringify(key)}: ${formatValue(value, `${indent}  `)}`,
  )
  return `{\n${lines.join(',\n')}\n${indent}}${indent === '' ? '\n' : ''}`
}

function formatValue(value: unknown, indent: string): string {
  if (Array.isArray(value) && typeof value[0] === 'object') {
    return `[\n${value.map((item) => `${indent}  ${formatItem(item as object, `${indent}  `)}`).join(',\n')}\n${indent}]`
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return formatSchema(value, indent)
  return JSON.stringify(value)
}

function formatItem(item: object, indent: string): string {
  const parts = Object.entries(item).map(([key, value]) => `${JSON.stringify(key)}: ${formatValue(value, indent)}`)
  return `{ ${parts.join(', ')} }`
}

main()
