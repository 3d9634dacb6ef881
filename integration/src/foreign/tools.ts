import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDir, javaMissing, run, runJava, runJavaOk, type Finished, type RunOptions } from '@millrace/testkit'

/** Short names of the main classes behind Kafka's scripts. */
const MAIN_CLASSES = {
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-groups': 'org.apache.kafka.tools.GroupsCommand',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
  'kafka-consumer-perf-test': 'org.apache.kafka.tools.ConsumerPerformance',
  'kafka-verifiable-producer': 'org.apache.kafka.tools.VerifiableProducer',
  'kafka-verifiable-consumer': 'org.apache.kafka.tools.VerifiableConsumer',
  'kafka-dump-log': 'org.apache.kafka.tools.DumpLogSegments',
} as const

export type KafkaTool = keyof typeof MAIN_CLASSES

/** Runs one of Kafka's own tools, which must succeed, and gives back what it printed. */
export async function kafkaTool(tool: KafkaTool, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return (await runJavaOk(MAIN_CLASSES[tool], args, options)).stdout
}

/** The same for a tool that may fail. */
export function tryKafkaTool(tool: KafkaTool, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return runJava(MAIN_CLASSES[tool], args, options)
}

/** What the console consumer needs to read the first `count` records of a topic, or fail. */
export function consoleArguments(bootstrapServers: string, topic: string, count: number): string[] {
  const read = ['--from-beginning', '--max-messages', String(count), '--timeout-ms', '30000']
  return ['--bootstrap-server', bootstrapServers, '--topic', topic, ...read]
}

/** The main class, for a tool that is run as a process beside the test. */
export function mainClassOf(tool: KafkaTool): string {
  return MAIN_CLASSES[tool]
}

/** Python of the environment that setup.ts makes, with kafka-python and confluent-kafka. */
export const python: string = join(cacheDir, 'python', 'bin', 'python')

/** The foreign clients by name, each with a check that gives the reason why it is missing. */
export const missing: Readonly<Record<'java' | 'kcat' | 'kafka-python' | 'confluent-kafka', () => Promise<string | undefined>>> =
  {
    java: javaMissing,
    kcat: async () => {
      const version = await run('kcat', ['-V']).catch(() => undefined)
      return version?.exitCode === 0 ? undefined : 'no kcat on the PATH (integration/setup.ts installs it)'
    },
    'kafka-python': () => pythonModuleMissing('kafka', 'kafka-python'),
    'confluent-kafka': () => pythonModuleMissing('confluent_kafka', 'confluent-kafka'),
  }

async function pythonModuleMissing(module: string, distribution: string): Promise<string | undefined> {
  if (!existsSync(python)) return `no Python environment in .cache (integration/setup.ts makes it)`
  const imported = await run(python, ['-c', `import ${module}`])
  return imported.exitCode === 0 ? undefined : `${distribution} cannot be imported: ${imported.stderr.trim().split('\n').at(-1)}`
}
