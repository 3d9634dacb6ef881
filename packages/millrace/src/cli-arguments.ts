import { parseArgs } from 'node:util'
import type { BrokerOptions } from '@millrace/broker'

export const USAGE = `Usage: millrace broker [options]

Starts a Kafka broker in this process and prints "listening on HOST:PORT" once it serves.
SIGINT and SIGTERM stop it cleanly.

Options:
  --host HOST               address to listen on (default 127.0.0.1)
  --port PORT               port to listen on; 0 takes any free one (default 9092)
  --data DIR                keep logs and metadata in DIR, in Kafka's format (default: in memory)
  --partitions N            partitions of a topic that is created without a number (default 1)
  --no-auto-create          do not create topics that clients merely name
  --advertised-host HOST    what clients are told to connect to (default: --host)
  --advertised-port PORT    likewise (default: the port that is bound)
  --node-id N               (default 1)
  --cluster-id ID           22 characters of base64url (default: the directory's, or random)
  --flush os|interval|fsync when records are brought to the disk (default os)
  --config NAME=VALUE       a broker setting by Kafka's name; may be repeated
  --help, --version
`

/** What the command line asks for, or what is wrong with it in one line. */
export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'broker'; readonly options: BrokerOptions }
  | { readonly kind: 'mistake'; readonly message: string }

const OPTIONS = {
  host: { type: 'string' },
  port: { type: 'string' },
  data: { type: 'string' },
  partitions: { type: 'string' },
  'no-auto-create': { type: 'boolean' },
  'advertised-host': { type: 'string' },
  'advertised-port': { type: 'string' },
  'node-id': { type: 'string' },
  'cluster-id': { type: 'string' },
  flush: { type: 'string' },
  config: { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const

/** Reads the arguments after `millrace`. Values are checked by the broker; only what cannot be passed on is a mistake here. */
export function parseCommand(argv: readonly string[]): Command {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse(argv)
  } catch (error) {
    const why = (error as Error).message.split('\n')[0]!.replace(/\. To specify.*$/, '')
    return mistake(`${why}; see millrace --help`)
  }
  const { values, positionals } = parsed
  if (values.help) return { kind: 'help' }
  if (values.version) return { kind: 'version' }
  const [command, ...rest] = positionals
  if (command === undefined) return mistake('a command is missing: millrace broker; see millrace --help')
  if (command !== 'broker') return mistake(`unknown command ${JSON.stringify(command)}: there is broker; see millrace --help`)
  if (rest.length > 0) return mistake(`unexpected argument ${JSON.stringify(rest[0])}; see millrace --help`)
  return brokerCommand(values)
}

function parse(argv: readonly string[]): { values: ParsedValues; positionals: string[] } {
  return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true, strict: true })
}

interface ParsedValues {
  host?: string | undefined
  port?: string | undefined
  data?: string | undefined
  partitions?: string | undefined
  'no-auto-create'?: boolean | undefined
  'advertised-host'?: string | undefined
  'advertised-port'?: string | undefined
  'node-id'?: string | undefined
  'cluster-id'?: string | undefined
  flush?: string | undefined
  config?: string[] | undefined
  help?: boolean | undefined
  version?: boolean | undefined
}

function brokerCommand(values: ParsedValues): Command {
  const config: Record<string, string> = {}
  for (const pair of values.config ?? []) {
    const at = pair.indexOf('=')
    if (at < 1) return mistake(`--config ${pair}: expected NAME=VALUE, for example --config log.retention.ms=60000`)
    config[pair.slice(0, at)] = pair.slice(at + 1)
  }
  const numbers: Record<string, number> = {}
  for (const name of ['port', 'partitions', 'advertised-port', 'node-id'] as const) {
    const text = values[name]
    if (text === undefined) continue
    if (!/^\d{1,10}$/.test(text)) return mistake(`--${name} ${text}: expected a whole number`)
    numbers[name] = Number(text)
  }
  const options = withoutUndefined({
    host: values.host,
    port: numbers['port'],
    dataDir: values.data,
    numPartitions: numbers['partitions'],
    autoCreateTopics: values['no-auto-create'] ? false : undefined,
    advertisedHost: values['advertised-host'],
    advertisedPort: numbers['advertised-port'],
    nodeId: numbers['node-id'],
    clusterId: values['cluster-id'],
    flush: values.flush,
    config: values.config === undefined ? undefined : config,
  })
  return { kind: 'broker', options }
}

function withoutUndefined(options: Record<string, unknown>): BrokerOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function mistake(message: string): Command {
  return { kind: 'mistake', message }
}
