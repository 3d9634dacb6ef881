/**
 * Fails when the committed files are not what their sources give.
 *
 *     node packages/protocol/codegen/check-drift.ts            the generated sources against the schemas; offline
 *     node packages/protocol/codegen/check-drift.ts --import   also the schemas and vectors against Kafka's jars; needs Maven and a JDK
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { generateAll, strayFiles } from './generate.ts'

const PACKAGE = join(import.meta.dirname, '..')

function main(): void {
  const problems = [...generatedProblems(), ...(process.argv.includes('--import') ? importedProblems() : [])]
  for (const problem of problems) process.stderr.write(`${problem}\n`)
  if (problems.length > 0) process.exitCode = 1
  else process.stdout.write('no drift\n')
}

function generatedProblems(): string[] {
  const files = generateAll()
  const drifted = [...files].filter(([path, text]) => readIfPresent(path)?.toString() !== text)
  return [
    ...drifted.map(([path]) => `${relative(PACKAGE, path)} is not what codegen/generate.ts makes of the schemas`),
    ...strayFiles(files).map((path) => `${relative(PACKAGE, path)} is not generated; it should not be there`),
  ]
}

function importedProblems(): string[] {
  const work = mkdtempSync(join(tmpdir(), 'kafka-drift-'))
  try {
    run('import-schemas.ts', join(work, 'schemas'))
    run('make-vectors.ts', join(work, 'vectors'))
    const names = new Set([...listFiles(work), ...listFiles(PACKAGE)])
    return [...names]
      .filter((name) => !sameContent(name, readIfPresent(join(work, name)), readIfPresent(join(PACKAGE, name))))
      .map((name) => `${name} is not what Kafka's jars give`)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function run(script: string, folder: string): void {
  execFileSync(process.execPath, [join(import.meta.dirname, script), folder], { stdio: ['ignore', 'ignore', 'inherit'] })
}

function listFiles(root: string): string[] {
  const schemas = readdirSync(join(root, 'schemas'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .map((name) => join('schemas', name))
  const vectors = readdirSync(join(root, 'vectors'))
    .filter((name) => name.endsWith('.br'))
    .map((name) => join('vectors', name))
  return [...schemas, ...vectors]
}

function sameContent(name: string, made: Buffer | null, committed: Buffer | null): boolean {
  if (made === null || committed === null) return false
  // Two versions of zlib may compress the same vectors into other bytes.
  return name.endsWith('.br') ? brotliDecompressSync(made).equals(brotliDecompressSync(committed)) : made.equals(committed)
}

function readIfPresent(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch {
    return null
  }
}

main()
