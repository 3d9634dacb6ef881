import { ERROR_TABLE, ErrorCode } from './generated/error-table.ts'
import { KafkaError } from './kafka-error.ts'

interface ErrorEntry {
  readonly name: string
  readonly retriable: boolean
  readonly message: string
}

const ENTRIES: ReadonlyMap<number, ErrorEntry> = new Map(
  ERROR_TABLE.map(([code, name, retriable, message]) => [code, { name, retriable, message }]),
)

/** An error that a broker answered with. `code` is Kafka's name for it. */
export class BrokerError extends KafkaError {
  override readonly name: string = 'BrokerError'
  /** Kafka's number for it. */
  readonly errorCode: number

  constructor(code: string, errorCode: number, message: string, retriable: boolean) {
    super(code, message, { retriable })
    this.errorCode = errorCode
  }
}

/**
 * The error for a code that a broker sent.
 *
 * @param code must not be 0, which is no error
 * @param message what the broker said about it, where the response has a field for that; added to our own words
 */
export function errorFor(code: number, message?: string | null): BrokerError {
  if (code === ErrorCode.NONE) throw new TypeError('error code 0 means that there is no error')
  const entry = ENTRIES.get(code)
  const name = errorName(code)
  const meaning = entry?.message ?? `the broker answered with the error code ${code}, which Kafka 4.4.0 does not define`
  const text = message ? `${name}: ${meaning} (the broker says: ${message})` : `${name}: ${meaning}`
  return new BrokerError(name, code, text, entry?.retriable ?? false)
}

/** Kafka's name for an error code: `NOT_COORDINATOR`; `UNKNOWN_ERROR_CODE_<n>` for one from the future. */
export function errorName(code: number): string {
  return ENTRIES.get(code)?.name ?? `UNKNOWN_ERROR_CODE_${code}`
}
