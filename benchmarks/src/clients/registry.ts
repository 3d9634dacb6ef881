import type { BenchClient } from '../workload.ts'

/** Loaded on demand, so that a child process holds nothing but the client that it measures. */
const clients: Readonly<Record<string, () => Promise<BenchClient>>> = {
  kafkajs: async () => (await import('./kafkajs.ts')).kafkajs,
  platformatic: async () => (await import('./platformatic.ts')).platformatic,
  kafkats: async () => (await import('./kafkats.ts')).kafkats,
  millrace: async () => (await import('./millrace.ts')).millrace,
  'millrace-records': async () => (await import('./millrace.ts')).millraceRecords,
}

/** Names for `--clients`; `java` is run by its own perf tools. */
export const clientNames: readonly string[] = [...Object.keys(clients), 'java']

export async function loadClient(name: string): Promise<BenchClient> {
  const load = clients[name]
  if (load === undefined) throw new Error(`unknown client ${JSON.stringify(name)}; known: ${clientNames.join(', ')}`)
  return load()
}
