import { isPeer } from './clients/registry.ts'
import { succeeded, type Attempt } from './run-client.ts'
import { median } from './statistics.ts'
import type { Cores, Measurement } from './workload.ts'

/** Of one row: client → one attempt per round. */
export type PerClient<Result extends object> = ReadonlyMap<string, readonly Attempt<Result>[]>

/** The best peer of a row in one figure; NaN and no name when none was measured. */
export interface Best {
  readonly client: string
  readonly value: number
}

export function bestPeer<Result extends Measurement>(
  perClient: PerClient<Result>,
  field: keyof Measurement,
  better: (a: number, b: number) => boolean,
): Best {
  let best: Best = { client: '–', value: Number.NaN }
  for (const [client, attempts] of perClient) {
    const value = medianOf(attempts, field)
    if (!isPeer(client) || Number.isNaN(value)) continue
    if (Number.isNaN(best.value) || better(value, best.value)) best = { client, value }
  }
  return best
}

/** The median of one figure over the rounds that succeeded; NaN when none did. */
export function medianOf<Field extends string>(
  attempts: readonly Attempt<Readonly<Record<Field, number>>>[],
  field: Field,
): number {
  return median(succeeded(attempts).map((measured) => measured[field]))
}

export function coresOf(attempts: readonly Attempt<Cores>[]): Cores {
  return { clientCores: medianOf(attempts, 'clientCores'), brokerCores: medianOf(attempts, 'brokerCores') }
}
