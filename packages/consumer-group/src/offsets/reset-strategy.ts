/** Where to begin in a partition: at an end of its log, or at the first record that is at most so old (KIP-1106). */
export type ResetStrategy =
  | { readonly kind: 'earliest' | 'latest' }
  | { readonly kind: 'by_duration'; readonly durationMs: number }

export const EARLIEST: ResetStrategy = { kind: 'earliest' }
export const LATEST: ResetStrategy = { kind: 'latest' }

/** ISO-8601 as `java.time.Duration.parse` takes it: days, hours, minutes and seconds with a fraction. Months and years have no fixed length. */
const DURATION =
  /^P(?=\d|T\d)(?:(?<days>\d+)D)?(?:T(?=\d)(?:(?<hours>\d+)H)?(?:(?<minutes>\d+)M)?(?:(?<seconds>\d+)(?:\.(?<fraction>\d{1,9}))?S)?)?$/i

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

/** Milliseconds of a duration like `P7D` or `PT1H30M`; null for what is none, or is longer than numbers are exact. */
export function parseDuration(text: string): number | null {
  const parts = DURATION.exec(text)?.groups
  if (parts === undefined) return null
  const part = (name: string): number => Number(parts[name] ?? 0)
  const fractionMs = Math.floor(Number(`0.${parts['fraction'] ?? '0'}`) * 1000)
  const ms = part('days') * DAY_MS + part('hours') * HOUR_MS + part('minutes') * MINUTE_MS + part('seconds') * 1000 + fractionMs
  return Number.isSafeInteger(ms) ? ms : null
}

const BY_DURATION = 'by_duration:'

/** What `autoOffsetReset` says; `undefined` when it says nothing that is allowed, null for `'none'`. */
export function parseAutoOffsetReset(value: unknown): ResetStrategy | null | undefined {
  if (value === 'earliest') return EARLIEST
  if (value === 'latest') return LATEST
  if (value === 'none') return null
  if (typeof value !== 'string' || !value.startsWith(BY_DURATION)) return undefined
  const durationMs = parseDuration(value.slice(BY_DURATION.length))
  return durationMs === null ? undefined : { kind: 'by_duration', durationMs }
}
