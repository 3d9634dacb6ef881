import { ConfigError } from '@millrace/protocol'

const INT32_MAX = 2 ** 31 - 1
const WAIT_OPTIONS: ReadonlySet<string> = new Set(['signal'])

/** What a wait may be given. */
export interface WaitOptions {
  /** Ends the wait; its reason is what the promise rejects with. */
  readonly signal?: AbortSignal
}

/** @throws ConfigError naming the option when it is not text, or is given and empty */
export function checkText(option: string, value: unknown): void {
  if (value !== undefined && (typeof value !== 'string' || value === ''))
    throw new ConfigError(option, value, 'a non-empty string')
}

/** @throws ConfigError naming the option when it is not a whole number from `min` on */
export function checkWhole(option: string, value: unknown, min: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > INT32_MAX) {
    throw new ConfigError(option, value, `a whole number, ${min} to ${INT32_MAX}`)
  }
  return value
}

/** @throws ConfigError when `options` is no object, or naming the first thing in it that is none of `names` */
export function checkNames(what: string, options: unknown, names: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null) throw new ConfigError(what, options, 'an object')
  for (const name of Object.keys(options)) {
    if (!names.has(name)) throw new ConfigError(name, (options as never)[name], `one of ${[...names].join(', ')}`)
  }
}

/** @throws ConfigError naming what a wait cannot be given */
export function checkWait(options: WaitOptions): void {
  checkNames('options', options, WAIT_OPTIONS)
  const { signal } = options
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new ConfigError('signal', signal, 'an AbortSignal')
}
