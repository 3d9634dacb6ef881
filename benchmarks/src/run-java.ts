import { javaArguments, runOk, tail } from '@millrace/testkit'
import { BATCH_BYTES, LINGER_MS, WORKER_LIMIT_MS } from './limits.ts'
import type { Attempt } from './run-client.ts'
import type { Measurement } from './workload.ts'

/** What one of Java's perf tools is to do. */
export interface JavaWorkload {
  readonly bootstrapServers: string
  readonly topic: string
  readonly messageBytes: number
  readonly warmupMessages: number
  readonly messages: number
}

/** Java's default heap and JIT: these are measurements, not short-lived helpers. */
const JVM = ['-Xmx512m']

/** ProducerPerformance: acks all, idempotent, with the linger and batches of all clients here. */
export function javaProduce(workload: JavaWorkload): Promise<Attempt<Measurement>> {
  const options = {
    topic: workload.topic,
    'bootstrap-server': workload.bootstrapServers,
    'num-records': workload.messages + workload.warmupMessages,
    'warmup-records': workload.warmupMessages,
    'record-size': workload.messageBytes,
    throughput: -1,
  }
  const properties = ['acks=all', `linger.ms=${LINGER_MS}`, `batch.size=${BATCH_BYTES}`]
  const args = [...argumentsOf(options), ...properties.flatMap((property) => ['--command-property', property])]
  return java('org.apache.kafka.tools.ProducerPerformance', args, workload, producedPerSecond)
}

export function javaConsume(workload: JavaWorkload): Promise<Attempt<Measurement>> {
  const total = workload.messages + workload.warmupMessages
  const args = argumentsOf({
    topic: workload.topic,
    'bootstrap-server': workload.bootstrapServers,
    'num-records': total,
    timeout: 60_000,
  })
  return java('org.apache.kafka.tools.ConsumerPerformance', args, workload, (stdout) => consumedPerSecond(stdout, total))
}

function argumentsOf(options: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
}

async function java(
  mainClass: string,
  args: readonly string[],
  workload: JavaWorkload,
  rateOf: (stdout: string) => number,
): Promise<Attempt<Measurement>> {
  try {
    const command = [...(await javaArguments({ jvm: JVM })), mainClass, ...args]
    const { stdout, usage } = await runOk('java', command, { timeoutMs: WORKER_LIMIT_MS })
    return {
      messagesPerSecond: rateOf(stdout),
      cpuMicrosPerMessage: (usage.cpuMs * 1000) / (workload.messages + workload.warmupMessages),
      peakRssBytes: usage.peakRssBytes,
    }
  } catch (error) {
    return String(error)
  }
}

/** The last report of ProducerPerformance that has percentiles: that of the steady state, if there was a warm-up. */
export function producedPerSecond(stdout: string): number {
  const rate = /^[\d,]+ (?:steady state )?records sent, ([\d,.]+) records\/sec .* ms 99th/
  for (const line of stdout.trimEnd().split('\n').toReversed()) {
    const found = rate.exec(line)
    if (found !== null) return Number(found[1]!.replaceAll(',', ''))
  }
  throw new Error(`no result in the output of ProducerPerformance:\n${tail(stdout, 5)}`)
}

/** Of `start.time, end.time, MB, MB.sec, nMsg, nMsg.sec, rebalance.ms, fetch.ms, fetch.MB.sec, fetch.nMsg.sec`, the last line. */
export function consumedPerSecond(stdout: string, expected: number): number {
  const cells = stdout
    .trimEnd()
    .split('\n')
    .at(-1)!
    .split(',')
    .map((cell) => cell.trim())
  if (!(Number(cells[4]) >= expected)) throw new Error(`ConsumerPerformance read ${cells[4]} of ${expected} messages:\n${stdout}`)
  return Number(cells[9])
}
