import type { ProducerRecord } from './record.ts'
import type { MutableHeaders } from './serializer.ts'

/** Puts what carries a trace on into `carrier`, as OpenTelemetry's `propagation.inject(context.active(), carrier)` does. */
export type TraceContextInjector<Key = unknown, Value = unknown> = (
  carrier: Record<string, string>,
  record: ProducerRecord<Key, Value>,
) => void

/**
 * Adds what the hook gives to the end of the headers. An entry takes the place of headers of the same name, as OpenTelemetry's propagators replace
 * what was there: a record that is passed on with the headers it came with must not count as a part of the trace's earlier step.
 * @throws what the hook throws, and {TypeError} for an entry that is no string; the headers are untouched then
 */
export function addTraceContext(
  headers: MutableHeaders,
  inject: TraceContextInjector,
  record: ProducerRecord<unknown, unknown>,
): void {
  const carrier: Record<string, string> = {}
  inject(carrier, record)
  const entries = Object.entries<unknown>(carrier)
  if (entries.length === 0) return
  for (const [name, value] of entries) if (typeof value !== 'string') throw new TypeError(`${name} in the carrier is no string`)
  let kept = 0
  for (const header of headers) if (!Object.hasOwn(carrier, header[0])) headers[kept++] = header
  headers.length = kept
  for (const entry of entries) headers.push(entry as [string, string])
}
