import { ProtocolError } from '../kafka-error.ts'
import { MAX_PREALLOCATED_ELEMENTS } from '../limits.ts'

/** Kafka's uuid of all zeroes, which stands for "none". */
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

/** What byte fields default to. */
export const EMPTY_BYTES: Buffer = Buffer.alloc(0)

/** A message was to be encoded in, or decoded from, a version that it does not have. */
export function checkVersion(message: string, version: number, min: number, max: number): void {
  if (version >= min && version <= max) return
  throw new ProtocolError('UNSUPPORTED_VERSION', `${message} has no version ${version}; it has ${min} to ${max}`)
}

/** A field that the version cannot carry was set to something that must not get lost. */
export function unsupportedField(field: string, version: number): ProtocolError {
  return new ProtocolError('UNSUPPORTED_FIELD', `${field} is set, but version ${version} has no such field`)
}

/** A field was null in a version that has no null for it. */
export function nullField(field: string, version: number): ProtocolError {
  return new ProtocolError('UNSUPPORTED_FIELD', `${field} is null, which version ${version} does not allow`)
}

/**
 * An array for so many elements. The exact size saves memory and time: V8 gives an array that grows 17 places with its
 * first element. Longer arrays grow as their elements are read, so that a count alone cannot make us allocate much.
 */
export function newList<Element>(count: number): Element[] {
  // oxlint-disable-next-line unicorn/no-new-array -- the length is what is meant
  return count <= MAX_PREALLOCATED_ELEMENTS ? new Array<Element>(count) : []
}
