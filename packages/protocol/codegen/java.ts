import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const PROJECT = join(import.meta.dirname, '..', 'vectors', 'java')

/** Runs one main class of vectors/java on the kafka-clients that its pom pins. Needs Maven and JDK 17 or later. */
export function runJava(mainClass: string, options: readonly string[]): string {
  execFileSync('mvn', ['-q', 'compile', 'dependency:copy-dependencies'], { cwd: PROJECT, stdio: ['ignore', 'ignore', 'inherit'] })
  const classPath = `${join(PROJECT, 'target', 'classes')}:${join(PROJECT, 'target', 'dependency', '*')}`
  return execFileSync('java', ['-cp', classPath, `millrace.${mainClass}`, ...options], { encoding: 'utf8', maxBuffer: 2 ** 28 })
}
