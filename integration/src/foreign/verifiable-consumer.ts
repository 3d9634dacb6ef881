import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { mainClassOf } from './tools.ts'

export interface VerifiableConsumer {
  /** Partitions that it owns now. */
  assigned(): number[]
  values(): string[]
  stop(): Promise<void>
}

/**
 * Kafka's VerifiableConsumer as a process beside the test; it prints an event per line.
 * @param java what comes before the main class: see `javaArguments`
 * @param more further arguments of the tool
 */
export function startVerifiableConsumer(
  java: readonly string[],
  bootstrapServers: string,
  topic: string,
  group: string,
  more: readonly string[] = [],
): VerifiableConsumer {
  const args = [
    '--bootstrap-server',
    bootstrapServers,
    '--topic',
    topic,
    '--group-id',
    group,
    '--reset-policy',
    'earliest',
    '--verbose',
    ...more,
  ]
  const child = spawn('java', [...java, mainClassOf('kafka-verifiable-consumer'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'close')
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const events = (): { name: string; value?: string; partitions?: { partition: number }[] }[] =>
    output
      .slice(0, output.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { name: string })
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await exited
  }
  onTestFinished(async () => {
    if (child.exitCode === null) await stop()
  })
  const assigned = (): number[] => {
    const owned = new Set<number>()
    for (const { name, partitions = [] } of events()) {
      if (name === 'partitions_assigned') for (const { partition } of partitions) owned.add(partition)
      if (name === 'partitions_revoked') for (const { partition } of partitions) owned.delete(partition)
    }
    return [...owned]
  }
  const values = (): string[] => events().flatMap(({ name, value }) => (name === 'record_data' ? [value!] : []))
  return { assigned, values, stop }
}
