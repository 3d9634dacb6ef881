import { join } from 'node:path'
import { javaArguments, run, runOk, tail } from '@millrace/testkit'
import { BATCH_BYTES, LINGER_MS, WORKER_LIMIT_MS } from './limits.ts'
import type { Measurement, Workload } from './workload.ts'

const worker: string = join(import.meta.dirname, 'worker.ts')

/** Runs one workload in a process of its own. @throws Error that quotes the process's output */
export async function runClient(workload: Workload): Promise<Measurement> {
  if (workload.client === 'java') return workload.kind === 'produce' ? javaProduce(workload) : javaConsume(workload)
  const args = [...process.execArgv, worker, JSON.stringify(workload)]
  const finished = await run(process.execPath, args, { timeoutMs: WORKER_LIMIT_MS })
  const lines = finished.stdout.trimEnd().split('\n')
  if (finished.exitCode !== 0) throw new Error(tail(`${finished.stdout}\n${finished.stderr}`, 8))
  return JSON.parse(lines.at(-1)!) as Measurement
}

/** Java's default heap and JIT: these are measurements, not short-lived helpers. */
const JVM = ['-Xmx512m']

async function javaProduce(workload: Workload): Promise<Measurement> {
  const rate = /^([\d,]+) (?:steady state )?records sent, ([\d,.]+) records\/sec .*?, ([\d,.]+) ms 50th, .*?, ([\d,.]+) ms 99th/m
  const finished = await java('org.apache.kafka.tools.ProducerPerformance', [
    '--topic',
    workload.topic,
    '--num-records',
    String(workload.messages + workload.warmupMessages),
    '--record-size',
    String(workload.messageBytes),
    '--throughput',
    '-1',
    '--warmup-records',
    String(workload.warmupMessages),
    '--bootstrap-server',
    workload.bootstrapServers,
    '--command-property',
    'acks=all',
    '--command-property',
    `linger.ms=${LINGER_MS}`,
    '--command-property',
    `batch.size=${BATCH_BYTES}`,
  ])
  return { ...finished.measured, ...parseRate(rate, finished.stdout) }
}

async function javaConsume(workload: Workload): Promise<Measurement> {
  const total = workload.messages + workload.warmupMessages
  const finished = await java('org.apache.kafka.tools.ConsumerPerformance', [
    '--bootstrap-server',
    workload.bootstrapServers,
    '--topic',
    workload.topic,
    '--num-records',
    String(total),
    '--timeout',
    '60000',
  ])
  // start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
  const row = finished.stdout
    .trimEnd()
    .split('\n')
    .at(-1)!
    .split(',')
    .map((cell) => cell.trim())
  if (Number(row[4]) < total) throw new Error(`ConsumerPerformance read ${row[4]} of ${total} messages:\n${finished.stdout}`)
  return { ...finished.measured, messagesPerSecond: Number(row[9]) }
}

async function java(mainClass: string, args: readonly string[]): Promise<{ stdout: string; measured: Measurement }> {
  const finished = await runOk('java', [...(await javaArguments({ jvm: JVM })), mainClass, ...args], {
    timeoutMs: WORKER_LIMIT_MS,
  })
  const messages = Number(args[args.indexOf('--num-records') + 1])
  const measured: Measurement = {
    messagesPerSecond: Number.NaN,
    cpuMicrosPerMessage: (finished.usage.cpuMs * 1000) / messages,
    peakRssBytes: finished.usage.peakRssBytes,
  }
  return { stdout: finished.stdout, measured }
}

function parseRate(pattern: RegExp, stdout: string): Partial<Measurement> & { messagesPerSecond: number } {
  const lines = stdout.trimEnd().split('\n')
  for (const line of lines.toReversed()) {
    const found = pattern.exec(line)
    if (found !== null) return { messagesPerSecond: Number(found[2]), callP50Ms: Number(found[3]), callP99Ms: Number(found[4]) }
  }
  throw new Error(`no result in the output of ProducerPerformance:\n${tail(stdout, 5)}`)
}
