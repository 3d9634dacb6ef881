// The main job: real events in, through a producer and three partitions, out to a group of two members.
import { Broker, KafkaError } from 'millrace'
import { runJob } from './job.ts'
import { parseOptions, usage, UsageError } from './options.ts'

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort())

try {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) {
    console.log(usage)
  } else if (options.bootstrap === undefined) {
    await using broker = await Broker.start({ port: 0 })
    console.log(`embedded broker: listening on ${broker.bootstrapServers}`)
    await runJob({ ...options, bootstrap: broker.bootstrapServers }, stop)
  } else {
    await runJob({ ...options, bootstrap: options.bootstrap }, stop)
  }
} catch (error) {
  console.error(`npm start: ${oneLine(error)}`)
  process.exitCode = 1
}

function oneLine(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}; npm start -- --help shows the options`
  if (error instanceof KafkaError) return `${error.message} (${error.code})`
  if (error instanceof Error && 'code' in error) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
