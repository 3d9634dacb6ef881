import type { BrokerKind } from '../options.ts'
import { digits } from '../table.ts'

/** Threads that a broker can keep busy. */
export const BROKER_THREADS: Readonly<Record<BrokerKind, number>> = { embedded: 1, real: Infinity }

/** From this share of what there is on, it counts as used up: samples are taken at 10 ms, and both sides wait for each other. */
const BUSY = 0.9

/** What kept a load from being faster. */
export type Limit = 'broker' | 'machine' | 'client'

/**
 * The embedded broker is one thread, so it is the limit when it has a core for itself; the real one has many, so that only a machine
 * whose cores are all in use is one.
 */
export function limitOf(load: { clientCores: number; brokerCores: number }, cores: number, brokerThreads: number): Limit {
  if (load.brokerCores >= BUSY * Math.min(brokerThreads, cores)) return 'broker'
  if (load.brokerCores + load.clientCores >= BUSY * cores) return 'machine'
  return 'client'
}

/** What a figure should be. */
export interface Wanted {
  readonly least?: number
  readonly most?: number
}

export function isReached(value: number, { least = -Infinity, most = Infinity }: Wanted): boolean {
  return value >= least && value <= most
}

/** `2.35 ✓`, `1.40 ✗`, or `–` for what was not measured. */
export function judged(value: number, wanted: Wanted): string {
  if (!Number.isFinite(value)) return '–'
  return `${digits(value)} ${isReached(value, wanted) ? '✓' : '✗'}`
}

/** The same, but what the client alone does not decide is no shortfall: `1.40 (broker)`. */
export function judgedUnless(limit: Limit, value: number, wanted: Wanted): string {
  if (limit === 'client' || !Number.isFinite(value) || isReached(value, wanted)) return judged(value, wanted)
  return `${digits(value)} (${limit})`
}
