import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { KAFKA_VERSION } from '@millrace/testkit'

const file: string = join(import.meta.dirname, '..', 'RESULTS.md')
const INTRODUCTION = `# Results

Written by \`npm run bench -- --write\`; the line under each title says by which command, when and on what. Each client runs in a process of its
own against the same broker, in alternating rounds; the figures are medians over the steady phase (start and warm-up excluded, except for Java,
whose CPU and memory are those of its whole process). Everything is acks=all. See [README.md](README.md) for what each client does.
`

const PEERS = ['kafkajs', '@platformatic/kafka', '@kafkats/client', '@confluentinc/kafka-javascript']

/** Replaces the sections of the same title and leaves the others. */
export function writeResults(sections: ReadonlyMap<string, string>): string {
  const known = existsSync(file) ? readFileSync(file, 'utf8') : ''
  writeFileSync(file, merged(known, sections))
  return file
}

/** The file with these sections in the place of those of the same title; new ones come last. */
export function merged(known: string, sections: ReadonlyMap<string, string>): string {
  const all = parse(known)
  for (const [title, body] of sections) all.set(title, body.trim())
  const text = [...all].map(([title, body]) => `## ${title}\n\n${body}\n`).join('\n')
  return `${INTRODUCTION}\n${text}`
}

/** The line under a section's title: what was run, when and on what. */
export function provenance(argv: readonly string[]): string {
  const command = ['npm run bench', ...(argv.length > 0 ? ['--', ...argv.filter((arg) => arg !== '--')] : [])].join(' ')
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname })
    .toString()
    .trim()
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB`
  const versions = PEERS.map((name) => `${name} ${versionOf(name)}`).join(', ')
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ')
  return `\`${command}\` at ${commit}, ${date} UTC, Node ${process.version}, ${machine}. Apache Kafka ${KAFKA_VERSION}, ${versions}.`
}

function versionOf(name: string): string {
  const manifest = join(import.meta.dirname, '..', 'node_modules', name, 'package.json')
  if (!existsSync(manifest)) return 'not installed'
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}

function parse(text: string): Map<string, string> {
  const parts = text.split(/^## (.+)$/m)
  const sections = new Map<string, string>()
  for (let index = 1; index < parts.length; index += 2) sections.set(parts[index]!, parts[index + 1]!.trim())
  return sections
}
