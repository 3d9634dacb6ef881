import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { KAFKA_VERSION } from '@millrace/testkit'

const file: string = join(import.meta.dirname, '..', 'RESULTS.md')
const INTRODUCTION = `# Results

Written by \`npm run bench -- --write\`. Each client runs in a process of its own against the same broker, in alternating rounds;
the figures are medians over the steady phase (a fifth of the messages goes first, unmeasured), those of Java include the start of its virtual machine
in CPU and memory. acks=all, 3 partitions, no compression, records without a key. See [README.md](README.md) for what each client does.
`

/** Replaces the sections of the same title and leaves the others. */
export function writeResults(sections: ReadonlyMap<string, string>): string {
  const known = existsSync(file) ? parse(readFileSync(file, 'utf8')) : new Map<string, string>()
  for (const [title, body] of sections) known.set(title, body.trim())
  const text = [...known].map(([title, body]) => `## ${title}\n\n${body}\n`).join('\n')
  writeFileSync(file, `${INTRODUCTION}\n${text}`)
  return file
}

/** The line under a section's title: what was run, when and on what. */
export function provenance(argv: readonly string[]): string {
  const command = ['npm run bench', ...(argv.length > 0 ? ['--', ...argv.filter((arg) => arg !== '--')] : [])].join(' ')
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname })
    .toString()
    .trim()
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB`
  const versions = ['kafkajs', '@platformatic/kafka', '@kafkats/client'].map((name) => `${name} ${versionOf(name)}`).join(', ')
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ')
  return `\`${command}\` at ${commit}, ${date} UTC, Node ${process.version}, ${machine}. Apache Kafka ${KAFKA_VERSION}, ${versions}.`
}

function versionOf(name: string): string {
  const manifest = readFileSync(join(import.meta.dirname, '..', 'node_modules', name, 'package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

function parse(text: string): Map<string, string> {
  const parts = text.split(/^## (.+)$/m)
  const sections = new Map<string, string>()
  for (let index = 1; index < parts.length; index += 2) sections.set(parts[index]!, parts[index + 1]!.trim())
  return sections
}
