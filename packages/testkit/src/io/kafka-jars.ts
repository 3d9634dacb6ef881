import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { MAVEN_LIMIT_MS } from '../limits.ts'
import { run, runOk, type Finished, type RunOptions } from './child.ts'

/** From src/io and dist/io alike. */
const packageRoot: string = join(import.meta.dirname, '..', '..')
const pom: string = join(packageRoot, 'kafka', 'pom.xml')

/** Where downloads of the suites are kept: `.cache` in the repository's root, or MILLRACE_CACHE. */
export const cacheDir: string = process.env['MILLRACE_CACHE'] ?? join(packageRoot, '..', '..', '.cache')

/** The version of Apache Kafka in kafka/pom.xml. */
export const KAFKA_VERSION: string = /<kafka.version>(.+)<\/kafka.version>/.exec(readFileSync(pom, 'utf8'))![1]!

/** Why no Java program can run here, or undefined if it can. */
export async function javaMissing(): Promise<string | undefined> {
  const java = await run('java', ['-version']).catch(() => undefined)
  if (java === undefined || java.exitCode !== 0) return 'no java on the PATH (Kafka needs Java 17 or later)'
  const major = Number(/version "(\d+)/.exec(java.stderr)?.[1] ?? 0)
  if (major < 17) return `java is version ${major}; Kafka needs 17 or later`
  if (kafkaJarsThere()) return undefined
  const maven = await run('mvn', ['-version']).catch(() => undefined)
  return maven?.exitCode === 0 ? undefined : "no mvn on the PATH to fetch Kafka's jars with (run integration/setup.ts)"
}

/** Whether Maven has fetched the jars already. */
export function kafkaJarsThere(): boolean {
  return existsSync(jarDir())
}

/** The class path of Kafka's broker and tools; fetched by Maven the first time. */
export async function kafkaClassPath(): Promise<string> {
  const target = jarDir()
  if (!kafkaJarsThere()) await fetchJars(target)
  return `${target}/*`
}

/** Runs a main class of Kafka's jars to its end. @throws ToolError as `run` */
export async function runJava(
  mainClass: string,
  args: readonly string[],
  options: RunOptions & JavaOptions = {},
): Promise<Finished> {
  return run('java', [...(await javaArguments(options)), mainClass, ...args], options)
}

/** The same for a tool that must succeed. @throws ToolError if its exit code is not 0 */
export async function runJavaOk(
  mainClass: string,
  args: readonly string[],
  options: RunOptions & JavaOptions = {},
): Promise<Finished> {
  return runOk('java', [...(await javaArguments(options)), mainClass, ...args], options)
}

export interface JavaOptions {
  /** Log4j level of what goes to standard error. Default ERROR. */
  readonly logLevel?: 'ERROR' | 'WARN' | 'INFO' | 'DEBUG' | 'TRACE'
  /**
   * Options of the virtual machine. The default suits short-lived tools: a small heap and the quick compiler, which
   * halves the time to start; measurements pass their own.
   */
  readonly jvm?: readonly string[]
}

/** Everything before the main class. */
export async function javaArguments(options: JavaOptions = {}): Promise<string[]> {
  return [
    ...(options.jvm ?? ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']),
    `-Dlog4j2.configurationFile=${join(packageRoot, 'kafka', 'log4j2.properties')}`,
    `-Dmillrace.log.level=${options.logLevel ?? 'ERROR'}`,
    '-cp',
    await kafkaClassPath(),
  ]
}

function jarDir(): string {
  return join(cacheDir, `kafka-${KAFKA_VERSION}-libs`)
}

/** Into a directory of its own first, so that a broken or doubled download never looks complete. */
async function fetchJars(target: string): Promise<void> {
  const partial = `${target}.${process.pid}`
  mkdirSync(partial, { recursive: true })
  try {
    const goal = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${partial}`]
    await runOk('mvn', goal, { timeoutMs: MAVEN_LIMIT_MS })
    if (!existsSync(target)) renameSync(partial, target)
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}
