#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import type { BrokerOptions } from '@millrace/broker'
import { messageOf } from '@millrace/protocol/internal'
import { parseCommand, USAGE } from '../cli-arguments.ts'

/** The command-line names of options that errors name by their own. */
const FLAGS: Readonly<Record<string, string>> = {
  dataDir: '--data',
  numPartitions: '--partitions',
  advertisedHost: '--advertised-host',
  advertisedPort: '--advertised-port',
  nodeId: '--node-id',
  clusterId: '--cluster-id',
  host: '--host',
  port: '--port',
  flush: '--flush',
}

const command = parseCommand(process.argv.slice(2))
switch (command.kind) {
  case 'help':
    process.stdout.write(USAGE)
    break
  case 'version':
    process.stdout.write(`${ownVersion()}\n`)
    break
  case 'mistake':
    fail(command.message)
    break
  case 'broker':
    await runBroker(command.options)
}

async function runBroker(options: BrokerOptions): Promise<void> {
  // Loaded only now, so that --help and mistakes answer at once.
  const { Broker } = await import('@millrace/broker')
  const starting = Broker.start(options)
  // A second signal, or one while starting or closing, changes nothing: close() gives the same promise.
  const stop = (): void => {
    starting
      .then((broker) => broker.close())
      .then(
        () => process.exit(0),
        (error: unknown) => fail(`the broker did not stop cleanly: ${describe(error)}`),
      )
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  try {
    const broker = await starting
    process.stdout.write(`listening on ${broker.bootstrapServers}\n`)
  } catch (error) {
    fail(describe(error))
  }
}

/** One line; options go by their command-line names. */
function describe(error: unknown): string {
  const message = messageOf(error).replaceAll(/\s*\n\s*/g, ' ')
  const option = (error as { option?: unknown }).option
  if (typeof option !== 'string') return message
  return message.replace(option, FLAGS[option] ?? option.replace(/^config\['(.*)'\]$/, '--config $1'))
}

function fail(message: string): void {
  process.stderr.write(`millrace: ${message}\n`)
  process.exit(1)
}

function ownVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  return manifest.version
}
