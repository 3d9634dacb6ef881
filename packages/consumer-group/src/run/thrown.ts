import { isA } from '@millrace/protocol/internal'

/** What a property of it says; undefined when it has none, or cannot be asked. */
export function propertyOf(thrown: unknown, name: string): unknown {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) return undefined
  try {
    return (thrown as Record<string, unknown>)[name]
  } catch {
    return undefined
  }
}

/** The name of its class, as far as it has one; else of its type. */
export function classOf(thrown: unknown): string {
  if (!isA(thrown, Error)) return thrown === null ? 'null' : typeof thrown
  const name = propertyOf(thrown, 'name')
  const own = name === 'Error' ? propertyOf(propertyOf(thrown, 'constructor'), 'name') : name
  return typeof own === 'string' ? own : 'Error'
}
