import { join } from 'node:path'
import { run, tail } from '@millrace/testkit'
import { MEMORY_LIMIT_MS, WORKER_LIMIT_MS } from './limits.ts'
import type { MeasurementOf, Workload } from './workload.ts'

const worker: string = join(import.meta.dirname, 'worker.ts')

/** A run that failed, in its own words: one failure does not end the others. */
export type Attempt<Result> = Result | string

/** Runs one workload in a process of its own, which is given `nodeOptions` as well. */
export async function runClient<Kind extends Workload['kind']>(
  workload: Workload & { readonly kind: Kind },
  nodeOptions: readonly string[] = [],
): Promise<Attempt<MeasurementOf[Kind]>> {
  const args = [...process.execArgv, ...nodeOptions, worker, JSON.stringify(workload)]
  const timeoutMs = workload.kind === 'memory' ? MEMORY_LIMIT_MS : WORKER_LIMIT_MS
  try {
    const finished = await run(process.execPath, args, { timeoutMs })
    if (finished.exitCode !== 0) return tail(`${finished.stdout}\n${finished.stderr}`, 8)
    return JSON.parse(finished.stdout.trimEnd().split('\n').at(-1)!) as MeasurementOf[Kind]
  } catch (error) {
    return String(error)
  }
}

export function succeeded<Result extends object>(attempts: readonly Attempt<Result>[]): Result[] {
  return attempts.filter((attempt): attempt is Result => typeof attempt !== 'string')
}
