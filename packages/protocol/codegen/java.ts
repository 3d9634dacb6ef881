import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const PROJECT = join(import.meta.dirname, '..', 'vectors', 'java')

/** Which release is on the class path: that of the client jar, or the one of the server's jars (a profile of the pom). */
export type Release = 'clients' | 'server'

/** Runs one main class of vectors/java on the Kafka that its pom pins. Needs Maven and JDK 17 or later. */
export function runJava(mainClass: string, options: readonly string[], release: Release = 'clients'): string {
  const dependencies = join(PROJECT, 'target', release)
  maven(['compile'])
  maven(['dependency:copy-dependencies', `-DoutputDirectory=${dependencies}`, ...(release === 'server' ? ['-Pserver'] : [])])
  const classPath = `${join(PROJECT, 'target', 'classes')}:${join(dependencies, '*')}`
  return execFileSync('java', ['-cp', classPath, `millrace.${mainClass}`, ...options], { encoding: 'utf8' })
}

function maven(goals: readonly string[]): void {
  execFileSync('mvn', ['-q', '-B', ...goals], { cwd: PROJECT, stdio: ['ignore', 'ignore', 'inherit'] })
}
