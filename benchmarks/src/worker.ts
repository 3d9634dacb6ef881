// One measured client in a process of its own: node worker.ts '<workload as JSON>'. The last line of its output is the measurement.
import { loadClient } from './clients/registry.ts'
import { consumeLoad } from './load/consume-load.ts'
import { endToEndLoad } from './load/end-to-end-load.ts'
import { fillLoad } from './load/fill-load.ts'
import { latencyLoad } from './load/latency-load.ts'
import { memoryLoad } from './load/memory-load.ts'
import { produceLoad } from './load/produce-load.ts'
import type { BenchClient, MeasurementOf, Workload } from './workload.ts'

const loads: {
  readonly [Kind in Workload['kind']]: (
    client: BenchClient,
    workload: Workload & { readonly kind: Kind },
  ) => Promise<MeasurementOf[Kind]>
} = {
  produce: produceLoad,
  latency: latencyLoad,
  memory: memoryLoad,
  fill: fillLoad,
  consume: consumeLoad,
  'end-to-end': endToEndLoad,
}

const workload = JSON.parse(process.argv[2]!) as Workload
const load = loads[workload.kind] as (client: BenchClient, workload: Workload) => Promise<MeasurementOf[Workload['kind']]>
const measurement = await load(await loadClient(workload.client), workload)
process.stdout.write(`${JSON.stringify(measurement)}\n`, () => process.exit(0))
