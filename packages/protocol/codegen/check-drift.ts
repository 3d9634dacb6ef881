/**
 * Fails when the committed files are not what their sources give.
 *
 *     node packages/protocol/codegen/check-drift.ts            the generated sources against the schemas; offline
 *     node packages/protocol/codegen/check-drift.ts --import   also the schemas and vectors against Kafka's jars; needs Maven and a JDK
 *
 * With --import, the files are made again in place and compared with what is committed.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { generateAll, strayFiles } from './generate.ts'

const PACKAGE = join(import.meta.dirname, '..')

function main(): void {
  const problems = process.argv.includes('--import') ? [...importedProblems(), ...generatedProblems()] : generatedProblems()
  for (const problem of problems) process.stderr.write(`${problem}\n`)
  if (problems.length > 0) process.exitCode = 1
  else process.stdout.write('no drift\n')
}

function generatedProblems(): string[] {
  const files = generateAll()
  const drifted = [...files].filter(([path, text]) => readIfPresent(path) !== text)
  return [
    ...drifted.map(([path]) => `${relative(PACKAGE, path)} is not what codegen/generate.ts makes of the schemas`),
    ...strayFiles(files).map((path) => `${relative(PACKAGE, path)} is not generated; it should not be there`),
  ]
}

function readIfPresent(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

function importedProblems(): string[] {
  for (const script of ['import-schemas.ts', 'make-vectors.ts']) {
    execFileSync(process.execPath, [join(import.meta.dirname, script)], { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  const changed = execFileSync('git', ['status', '--porcelain', '--', 'schemas', 'vectors'], { cwd: PACKAGE, encoding: 'utf8' })
  return changed
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `differs from what Kafka's jars give: ${line.slice(3)}`)
}

main()
