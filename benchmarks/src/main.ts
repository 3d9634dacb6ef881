import { benchBroker } from './broker-bench.ts'
import { benchClients, clientTables, medianRate, type Results } from './client-bench.ts'
import { benchCodecs } from './codec/codec-bench.ts'
import { parseOptions, USAGE, type BrokerKind, type Options } from './options.ts'
import { provenance, writeResults } from './results-file.ts'
import { digits, markdownTable, thousands } from './table.ts'

const argv = process.argv.slice(2)
const progress = (line: string): void => void process.stderr.write(`${line}\n`)

if (argv.includes('--help')) {
  process.stdout.write(`${USAGE}\n`)
} else {
  const sections = await bench(parseOptions(argv))
  const line = provenance(argv)
  for (const [title, body] of sections) process.stdout.write(`\n## ${title}\n\n${body}\n`)
  if (parseOptions(argv).write) {
    progress(`written to ${writeResults(new Map([...sections].map(([title, body]) => [title, `${line}\n\n${body}`])))}`)
  }
}

async function bench(options: Options): Promise<Map<string, string>> {
  const sections = new Map<string, string>()
  if (options.parts.includes('codec')) sections.set('Codecs', await benchCodecs(progress))
  if (options.parts.includes('broker')) sections.set('Embedded broker', await benchBroker(progress))
  if (options.parts.includes('clients')) {
    const all = new Map<BrokerKind, Results>()
    for (const kind of options.brokers) {
      const results = await benchClients(kind, options, progress)
      all.set(kind, results)
      sections.set(`Clients on the ${kind} broker`, clientTables(results))
    }
    if (all.size === 2 && options.clients.includes('java')) sections.set('Java against both brokers', brokerRatios(all))
  }
  return sections
}

function brokerRatios(all: ReadonlyMap<BrokerKind, Results>): string {
  const rows = ['produce 100 B', 'produce 1 KiB', 'consume 100 B', 'consume 1 KiB'].map((name) => {
    const embedded = medianRate(all.get('embedded')!, name, 'java')
    const real = medianRate(all.get('real')!, name, 'java')
    return [name, thousands(embedded), thousands(real), digits(embedded / real), name === 'produce 100 B' ? '≥ 0.5' : '']
  })
  return markdownTable(["Java's perf tools", 'embedded, messages/s', 'JVM, messages/s', 'ratio', 'wanted'], rows)
}
