export interface KafkaErrorOptions {
  /** Whether the same request may succeed when sent again. Default false. */
  readonly retriable?: boolean
  /** Whether the client that saw it can do no further work. Default false. */
  readonly fatal?: boolean
  readonly cause?: unknown
}

/**
 * The base of every operating error in Millrace. `code` is Kafka's own name for an error that came from a broker
 * (for example `NOT_LEADER_OR_FOLLOWER`) and one of ours otherwise (for example `REQUEST_TIMED_OUT_LOCALLY`).
 */
export class KafkaError extends Error {
  override readonly name: string = 'KafkaError'
  readonly code: string
  readonly retriable: boolean
  readonly fatal: boolean

  constructor(code: string, message: string, options: KafkaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retriable = options.retriable ?? false
    this.fatal = options.fatal ?? false
  }
}

/**
 * What a ProtocolError can say: bytes that are truncated or corrupt, a frame beyond the limit, a version that one side
 * does not have, a field that the version cannot carry, a value that does not fit its type.
 */
export type ProtocolErrorCode =
  | 'CORRUPT_FRAME'
  | 'FRAME_TOO_LARGE'
  | 'UNSUPPORTED_VERSION'
  | 'UNSUPPORTED_FIELD'
  | 'VALUE_OUT_OF_RANGE'

/** Bytes or values that do not follow the protocol. Never retriable. */
export class ProtocolError extends KafkaError {
  override readonly name: string = 'ProtocolError'

  constructor(code: ProtocolErrorCode, message: string, cause?: unknown) {
    super(code, message, { cause })
  }
}

/** A wrong option, refused at construction. The message names the option, the value and what is allowed. */
export class ConfigError extends KafkaError {
  override readonly name: string = 'ConfigError'
  readonly option: string

  constructor(option: string, value: unknown, allowed: string) {
    const shown = typeof value === 'string' && SECRET.test(option) ? 'the value (not shown)' : describe(value)
    super('INVALID_CONFIG', `${option}: ${shown} is not allowed; expected ${allowed}`)
    this.option = option
  }
}

/** Names of options whose values are not for logs: an error is logged sooner than anything else. */
const SECRET = /pass(word|phrase)|secret|token|jaas|credential|key/i

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return typeof value === 'function' ? 'a function' : String(value)
}
