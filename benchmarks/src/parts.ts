import { benchBroker } from './broker-bench.ts'
import { benchCodecs } from './codec/codec-bench.ts'
import { benchBacklog } from './consuming/backlog-bench.ts'
import { benchConsume } from './consuming/consume-bench.ts'
import { benchConsumeMemory } from './consuming/consume-memory-bench.ts'
import { consumeTables } from './consuming/consume-tables.ts'
import { socketMicrosPerByte } from './consuming/socket-floor.ts'
import { benchEndToEnd } from './consuming/end-to-end-bench.ts'
import { benchJavaConsume, consumeRatios, javaConsumeTable } from './consuming/java-consume-bench.ts'
import { benchRebalance } from './grouping/rebalance-bench.ts'
import { rebalanceTables } from './grouping/rebalance-tables.ts'
import type { BrokerKind, Options, Part } from './options.ts'
import { benchJava, brokerRatios, javaTable } from './producing/java-bench.ts'
import { benchLatency } from './producing/latency-bench.ts'
import { benchMemory } from './producing/memory-bench.ts'
import { benchPartitions } from './producing/partitions-bench.ts'
import { benchProduce } from './producing/produce-bench.ts'
import { produceTables } from './producing/produce-tables.ts'

type Log = (line: string) => void

/** Titles of RESULTS.md and their tables. */
export type Sections = Map<string, string>

type PartRun = (options: Options, log: Log) => Promise<Sections>

/** Measures one part. Its sections replace those of the same title, and no others. */
export function runPart(part: Part, options: Options, log: Log): Promise<Sections> {
  return PART_RUNS[part](options, log)
}

const PART_RUNS: Readonly<Record<Part, PartRun>> = {
  codec: async (_, log) => new Map([['Codecs', await benchCodecs(log)]]),
  broker: async (_, log) => new Map([['Embedded broker', await benchBroker(log)]]),
  produce: (options, log) =>
    onEach(options.brokers ?? ['embedded'], 'Producing', async (kind) =>
      produceTables(await benchProduce(kind, options, log), kind, options.clients),
    ),
  java: besideJava("Beside Java's producer", 'Java against both brokers', benchJava, javaTable, brokerRatios),
  latency: (options, log) =>
    onEach(options.brokers ?? ['embedded'], 'One awaited send at a time', (kind) => benchLatency(kind, options, log)),
  partitions: (options, log) =>
    onEach(options.brokers ?? ['embedded'], 'Producing to many partitions', (kind) => benchPartitions(kind, options, log)),
  memory: (options, log) =>
    onEach(options.brokers ?? ['embedded'], 'Memory of the producer', (kind) => benchMemory(kind, options, log)),
  consume: (options, log) =>
    onEach(options.brokers ?? ['embedded'], 'Consuming', async (kind) =>
      consumeTables(await benchConsume(kind, options, log), kind, options.clients, await socketMicrosPerByte()),
    ),
  'java-consume': besideJava(
    "Beside Java's consumer",
    "Java's consumer on both brokers",
    benchJavaConsume,
    javaConsumeTable,
    consumeRatios,
  ),
  'end-to-end': (options, log) =>
    onEach(options.brokers ?? ['embedded'], 'End to end at an even rate', (kind) => benchEndToEnd(kind, options, log)),
  rebalance: (options, log) =>
    onEach(options.brokers ?? ['real', 'embedded'], 'A group that settles', async (kind) =>
      rebalanceTables(await benchRebalance(kind, options, log)),
    ),
  backlog: (options, log) =>
    onEach(options.brokers ?? ['embedded'], 'A backlog in a container of 512 MB', (kind) => benchBacklog(kind, options, log)),
  'consume-memory': (options, log) =>
    onEach(options.brokers ?? ['embedded'], 'Memory of the consumer', (kind) => benchConsumeMemory(kind, options, log)),
}

async function onEach(
  kinds: readonly BrokerKind[],
  title: string,
  measure: (kind: BrokerKind) => Promise<string>,
): Promise<Sections> {
  const sections: Sections = new Map()
  for (const kind of kinds) sections.set(titleOn(title, kind), await measure(kind))
  return sections
}

/** A table for each broker and, where both were measured, one of what Java makes of them. */
function besideJava<Results>(
  title: string,
  ratiosTitle: string,
  bench: (kind: BrokerKind, options: Options, log: Log) => Promise<Results>,
  tableOf: (results: Results, kind: BrokerKind) => string,
  ratiosOf: (all: ReadonlyMap<BrokerKind, Results>) => string,
): PartRun {
  return async (options, log) => {
    const all = new Map<BrokerKind, Results>()
    const sections = await onEach(options.brokers ?? ['real', 'embedded'], title, async (kind) => {
      const results = await bench(kind, options, log)
      all.set(kind, results)
      return tableOf(results, kind)
    })
    if (all.size === 2) sections.set(ratiosTitle, ratiosOf(all))
    return sections
  }
}

function titleOn(title: string, kind: BrokerKind): string {
  return `${title}, ${kind === 'embedded' ? 'embedded broker' : 'Apache Kafka'}`
}
