import { parseArgs } from 'node:util'
import { clientNames } from './clients/registry.ts'

export type BrokerKind = 'embedded' | 'real'
export type Part = 'clients' | 'broker' | 'codec'

export interface Options {
  readonly rounds: number
  /** Measured messages of 100 B per run; a quarter of it for 1 KiB. */
  readonly messages: number
  readonly brokers: readonly BrokerKind[]
  readonly clients: readonly string[]
  readonly parts: readonly Part[]
  readonly write: boolean
}

export const USAGE = `npm run bench -- [options]
  --quick                 one round of few messages: shows that everything runs, not how fast
  --rounds N              rounds; clients take turns in each, medians are shown (default 3)
  --messages N            measured messages of 100 B per run, a quarter of it for 1 KiB (default 1000000)
  --broker WHICH          embedded, real or both (default both)
  --clients a,b           of ${clientNames.join(', ')} (default all)
  --only PARTS            of clients, broker, codec (default all)
  --write                 puts the tables into benchmarks/RESULTS.md`

const PARTS: readonly Part[] = ['clients', 'broker', 'codec']

/** @throws Error that names the wrong argument */
export function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: argv.filter((arg) => arg !== '--'),
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      messages: { type: 'string' },
      broker: { type: 'string', default: 'both' },
      clients: { type: 'string', default: clientNames.join(',') },
      only: { type: 'string', default: PARTS.join(',') },
      write: { type: 'boolean', default: false },
    },
  })
  return {
    rounds: positive('--rounds', values.rounds ?? (values.quick ? '1' : '3')),
    messages: positive('--messages', values.messages ?? (values.quick ? '100000' : '1000000')),
    brokers: brokersOf(values.broker),
    clients: listOf('--clients', values.clients, clientNames),
    parts: listOf('--only', values.only, PARTS),
    write: values.write,
  }
}

function positive(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${option}: ${text} is not a positive whole number`)
  return value
}

function brokersOf(text: string): BrokerKind[] {
  if (text === 'both') return ['real', 'embedded']
  if (text === 'real' || text === 'embedded') return [text]
  throw new Error(`--broker: ${text} is not one of embedded, real, both`)
}

function listOf<Name extends string>(option: string, text: string, allowed: readonly Name[]): Name[] {
  return text.split(',').map((part) => {
    const name = allowed.find((candidate) => candidate === part.trim())
    if (name === undefined) throw new Error(`${option}: ${part} is not one of ${allowed.join(', ')}`)
    return name
  })
}
