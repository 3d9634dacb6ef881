import { ConfigError } from '@millrace/protocol'
import { MAX_TIMER_MS } from './limits.ts'

const NOT_YET = /^(ssl|tls|sasl|security)/i
const NEAR_MISS_DISTANCE = 3

/**
 * Refuses an option that nobody knows: a misspelt name must not silently leave a default in place.
 * @throws ConfigError naming the option and the names that come close to it
 */
export function refuseUnknownOptions(options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new ConfigError('options', options, 'an object')
  for (const [name, value] of Object.entries(options)) {
    if (known.includes(name) || value === undefined) continue
    if (NOT_YET.test(name)) throw new ConfigError(name, value, 'no such option: TLS and SASL are not supported yet')
    const near = known.filter((candidate) => isNear(name, candidate))
    const hint = near.length > 0 ? `did you mean ${near.join(' or ')}?` : `the options are ${known.join(', ')}`
    throw new ConfigError(name, value, `an option that exists; ${hint}`)
  }
}

/** @throws ConfigError unless the option is absent or an integer from `min` to `max` (default: the longest timer, 2^31 - 1) */
export function integerOption<Options extends object>(
  options: Options,
  name: keyof Options & string,
  byDefault: number,
  min: number,
  max: number = MAX_TIMER_MS,
): number {
  const value: unknown = options[name]
  if (value === undefined) return byDefault
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw new ConfigError(name, value, `an integer from ${min} to ${max}`)
}

/** @throws ConfigError unless the option is absent or a boolean */
export function booleanOption<Options extends object>(
  options: Options,
  name: keyof Options & string,
  byDefault: boolean,
): boolean {
  const value: unknown = options[name]
  if (value === undefined) return byDefault
  if (typeof value === 'boolean') return value
  throw new ConfigError(name, value, 'true or false')
}

/** @throws ConfigError unless the option is absent or a string of 1 to `maxBytes` bytes of UTF-8 */
export function stringOption<Options extends object>(
  options: Options,
  name: keyof Options & string,
  byDefault: string,
  maxBytes: number = Infinity,
): string {
  const value: unknown = options[name]
  if (value === undefined) return byDefault
  if (typeof value !== 'string' || value.length === 0) throw new ConfigError(name, value, 'a string that is not empty')
  const bytes = Buffer.byteLength(value)
  if (bytes > maxBytes) throw new ConfigError(name, `${value.slice(0, 20)}…`, `at most ${maxBytes} bytes, not ${bytes}`)
  return value
}

/** @throws ConfigError unless the option is absent or one of `allowed` */
export function oneOfOption<Options extends object, Value extends string>(
  options: Options,
  name: keyof Options & string,
  allowed: readonly Value[],
  byDefault: Value,
): Value {
  const value: unknown = options[name]
  if (value === undefined) return byDefault
  if ((allowed as readonly unknown[]).includes(value)) return value as Value
  const more = name === 'securityProtocol' ? ' (TLS and SASL are not supported yet)' : ''
  throw new ConfigError(name, value, allowed.map((one) => `'${one}'`).join(' or ') + more)
}

/**
 * The timeout of one call, or the client's default.
 * @throws ConfigError unless it is absent or a number of milliseconds from 0 to 2^31 - 1
 */
export function timeoutOption(timeoutMs: number | undefined, byDefault: number): number {
  if (timeoutMs === undefined) return byDefault
  if (typeof timeoutMs === 'number' && timeoutMs >= 0 && timeoutMs <= MAX_TIMER_MS) return timeoutMs
  throw new ConfigError('timeoutMs', timeoutMs, `a number from 0 to ${MAX_TIMER_MS}`)
}

function isNear(given: string, candidate: string): boolean {
  const [a, b] = [given.toLowerCase().replace(/[-_.]/g, ''), candidate.toLowerCase()]
  return a === b || b.startsWith(a) || a.startsWith(b) || editDistance(a, b) <= NEAR_MISS_DISTANCE
}

/** Levenshtein's distance; option names are short. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
