import { parseArgs } from 'node:util'
import { clientNames } from './clients/registry.ts'
import { CASES, type Case } from './producing/cases.ts'

export type BrokerKind = 'embedded' | 'real'

/** In the order in which they run. */
export const PARTS = [
  'codec',
  'broker',
  'produce',
  'java',
  'latency',
  'partitions',
  'memory',
  'consume',
  'java-consume',
  'end-to-end',
  'rebalance',
  'backlog',
  'consume-memory',
] as const
export type Part = (typeof PARTS)[number]

export interface Options {
  readonly rounds: number
  /** Measured time of each producing run, in seconds. */
  readonly seconds: number
  /** Messages that are consumed per run: twice as many of 100 B, so many of 1 KiB, a quarter of 10 KiB. */
  readonly messages: number
  /** Undefined: as each part has it. */
  readonly brokers: readonly BrokerKind[] | undefined
  readonly clients: readonly string[]
  readonly cases: readonly Case[]
  readonly parts: readonly Part[]
  readonly isQuick: boolean
  readonly write: boolean
}

export const USAGE = `npm run bench -- [options]
  --quick                 one round of short runs: shows that everything runs, not how fast
  --rounds N              rounds; clients take turns in each, medians are shown (default 5)
  --seconds N             measured seconds of each producing run (default 1)
  --messages N            measured messages of 1 KiB per consuming run, twice as many of 100 B, a quarter of 10 KiB; less where 2 s are over before (default 1000000)
  --broker WHICH          embedded, real or both (default: both for java, java-consume and rebalance, embedded for all others)
  --clients a,b           of ${clientNames.join(', ')} (default all)
  --cases a,b             rows of produce and consume: SIZE-CODEC-PARTITIONS, as 100-none-1 or 10240-zstd-100 (default all)
  --only PARTS            of ${PARTS.join(', ')} (default all)
  --write                 puts the tables into benchmarks/RESULTS.md, each part as soon as it is done; other parts stay as they are`

const CASE_NAMES: readonly string[] = CASES.map(({ name }) => name)

/** @throws Error that names the wrong argument */
export function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: argv.filter((arg) => arg !== '--'),
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      messages: { type: 'string' },
      broker: { type: 'string' },
      clients: { type: 'string', default: clientNames.join(',') },
      cases: { type: 'string', default: CASE_NAMES.join(',') },
      only: { type: 'string', default: PARTS.join(',') },
      write: { type: 'boolean', default: false },
    },
  })
  const cases = listOf('--cases', values.cases, CASE_NAMES)
  return {
    rounds: whole('--rounds', values.rounds ?? (values.quick ? '1' : '5')),
    seconds: positive('--seconds', values.seconds ?? (values.quick ? '0.3' : '1')),
    messages: whole('--messages', values.messages ?? (values.quick ? '100000' : '1000000')),
    brokers: brokersOf(values.broker),
    clients: listOf('--clients', values.clients, clientNames),
    cases: CASES.filter(({ name }) => cases.includes(name)),
    parts: listOf('--only', values.only, PARTS),
    isQuick: values.quick,
    write: values.write,
  }
}

function positive(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0) throw new Error(`${option}: ${text} is not a positive number`)
  return value
}

function whole(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${option}: ${text} is not a positive whole number`)
  return value
}

function brokersOf(text: string | undefined): BrokerKind[] | undefined {
  if (text === undefined) return undefined
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
