import { parseOptions, USAGE } from './options.ts'
import { provenance, writeResults } from './results-file.ts'
import { runPart } from './parts.ts'

const argv = process.argv.slice(2)
const progress = (line: string): void => void process.stderr.write(`${line}\n`)

if (argv.includes('--help')) {
  process.stdout.write(`${USAGE}\n`)
} else {
  const options = parseOptions(argv)
  const line = provenance(argv)
  for (const part of options.parts) {
    const startedAt = Date.now()
    const sections = await runPart(part, options, progress)
    for (const [title, body] of sections) process.stdout.write(`\n## ${title}\n\n${body}\n`)
    const took = `${part} took ${((Date.now() - startedAt) / 60_000).toFixed(1)} minutes`
    if (!options.write) progress(took)
    else
      progress(
        `${took}; written to ${writeResults(new Map([...sections].map(([title, body]) => [title, `${line}\n\n${body}`])))}`,
      )
  }
}
