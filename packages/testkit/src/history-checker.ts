import type { History, HistoryEvent, Place } from './history.ts'

export type AnomalyKind =
  | 'lost-write'
  | 'unseen'
  | 'duplicate'
  | 'inconsistent-offsets'
  | 'never-sent'
  | 'nonmonotonic-send'
  | 'nonmonotonic-poll'
  | 'poll-skip'
  | 'commit-skip'

export interface Anomaly {
  readonly kind: AnomalyKind
  readonly message: string
}

export interface CheckOptions {
  /** Whether someone has read every partition to its end after the last write, so that what nobody saw is lost. */
  readonly readToEnd: boolean
  /** Whether each record must be stored once (idempotent producers). Default true. */
  readonly idempotent?: boolean
}

/**
 * Looks for what a Kafka must never do, after Jepsen's checker for Kafka (jepsen/tests/kafka.clj): acknowledged records that
 * are gone, records stored twice, two records at one offset, a reader that goes back or leaves something out, a group that
 * commits what none of its members has seen.
 */
export function checkHistory(history: History, options: CheckOptions): Anomaly[] {
  const log = readLog(history.events)
  const found = [
    ...inconsistentOffsets(log),
    ...neverSent(history.events),
    ...lostWrites(history.events, log, options.readToEnd),
    ...sendOrder(history.events),
    ...pollOrder(history.events, log),
    ...commitSkips(history.events, log),
  ]
  return options.idempotent === false ? found : [...found, ...duplicates(log)]
}

/** What is known of each partition: who was seen at which offset. */
interface Log {
  /** Partition → offset → values seen there, which should be one. */
  readonly partitions: ReadonlyMap<string, ReadonlyMap<number, ReadonlySet<string>>>
  /** Value → places where it was polled. */
  readonly polled: ReadonlyMap<string, ReadonlySet<string>>
}

function readLog(events: readonly HistoryEvent[]): Log {
  const partitions = new Map<string, Map<number, Set<string>>>()
  const polled = new Map<string, Set<string>>()
  for (const event of events) {
    if (event.kind !== 'acked' && event.kind !== 'polled') continue
    const { partition, offset } = event.place
    const offsets = getOr(partitions, partition, () => new Map<number, Set<string>>())
    getOr(offsets, offset, () => new Set<string>()).add(event.value)
    if (event.kind === 'polled') getOr(polled, event.value, () => new Set<string>()).add(show(event.place))
  }
  return { partitions, polled }
}

function inconsistentOffsets(log: Log): Anomaly[] {
  const found: Anomaly[] = []
  for (const [partition, offsets] of log.partitions) {
    for (const [offset, values] of offsets) {
      if (values.size > 1)
        found.push({ kind: 'inconsistent-offsets', message: `${partition}@${offset} holds ${[...values].join(' and ')}` })
    }
  }
  return found
}

function neverSent(events: readonly HistoryEvent[]): Anomaly[] {
  const sent = new Set(events.filter((event) => event.kind === 'send').map((event) => event.value))
  const polls = events.filter((event) => event.kind === 'polled')
  const strangers = polls.filter((event) => !sent.has(event.value))
  return strangers.map((event) => ({ kind: 'never-sent', message: `${describe(event)}, which nobody sent` }))
}

function duplicates(log: Log): Anomaly[] {
  const places = new Map<string, string[]>()
  for (const [partition, offsets] of log.partitions) {
    for (const [offset, values] of offsets)
      for (const value of values) getOr(places, value, () => []).push(`${partition}@${offset}`)
  }
  return [...places]
    .filter(([, at]) => at.length > 1)
    .map(([value, at]) => ({ kind: 'duplicate', message: `${value} is stored at ${at.join(' and ')}` }))
}

/** A record is lost when someone has read past it without seeing it; when all was read, also when nobody saw it at all. */
function lostWrites(events: readonly HistoryEvent[], log: Log, readToEnd: boolean): Anomaly[] {
  const readUpTo = new Map<string, number>()
  for (const event of events) {
    if (event.kind !== 'polled') continue
    const { partition, offset } = event.place
    readUpTo.set(partition, Math.max(readUpTo.get(partition) ?? -1, offset))
  }
  const found: Anomaly[] = []
  for (const event of events) {
    if (event.kind !== 'acked' || log.polled.has(event.value)) continue
    const passed = (readUpTo.get(event.place.partition) ?? -1) > event.place.offset
    if (passed)
      found.push({
        kind: 'lost-write',
        message: `${event.value} was acknowledged at ${show(event.place)}; readers passed it unseen`,
      })
    else if (readToEnd)
      found.push({ kind: 'unseen', message: `${event.value} was acknowledged at ${show(event.place)}; nobody saw it` })
  }
  return found
}

/** Acknowledged records of one producer lie in a partition in the order in which they were sent. */
function sendOrder(events: readonly HistoryEvent[]): Anomaly[] {
  const order = new Map<string, number>()
  let sends = 0
  for (const event of events) if (event.kind === 'send') order.set(event.value, sends++)
  const perStream = new Map<string, { order: number; place: Place; value: string }[]>()
  for (const event of events) {
    if (event.kind !== 'acked') continue
    const at = { order: order.get(event.value) ?? -1, place: event.place, value: event.value }
    getOr(perStream, `${event.producer} ${event.place.partition}`, () => []).push(at)
  }
  const found: Anomaly[] = []
  for (const acked of perStream.values()) {
    const inOrder = acked.toSorted((left, right) => left.order - right.order)
    for (let index = 1; index < inOrder.length; index++) {
      const [earlier, later] = [inOrder[index - 1]!, inOrder[index]!]
      if (later.place.offset > earlier.place.offset) continue
      const message = `${later.value} at ${show(later.place)} was sent after ${earlier.value} at ${show(earlier.place)}`
      found.push({ kind: 'nonmonotonic-send', message })
    }
  }
  return found
}

/** Between two assignments, a consumer reads each partition forwards and leaves out no offset that is known to hold a record. */
function pollOrder(events: readonly HistoryEvent[], log: Log): Anomaly[] {
  const sorted = new Map(
    [...log.partitions].map(([partition, offsets]) => [partition, [...offsets.keys()].toSorted((a, b) => a - b)]),
  )
  const positions = new Map<string, number>()
  const found: Anomaly[] = []
  for (const event of events) {
    if (event.kind === 'assigned') positions.delete(`${event.consumer} ${event.partition}`)
    if (event.kind !== 'polled') continue
    const { partition, offset } = event.place
    const key = `${event.consumer} ${partition}`
    const before = positions.get(key)
    positions.set(key, offset)
    if (before === undefined) continue
    if (offset <= before) found.push({ kind: 'nonmonotonic-poll', message: `${describe(event)} after offset ${before}` })
    const skipped = sorted.get(partition)!.filter((known) => known > before && known < offset)
    if (skipped.length > 0)
      found.push({ kind: 'poll-skip', message: `${describe(event)} after offset ${before}, leaving out ${skipped.join(', ')}` })
  }
  return found
}

/** Everything before a committed offset was polled by a member of the group, by the time of the commit. */
function commitSkips(events: readonly HistoryEvent[], log: Log): Anomaly[] {
  const groupOf = new Map<string, string>()
  const handled = new Map<string, Set<number>>()
  const found: Anomaly[] = []
  for (const event of events) {
    if (event.kind === 'member') groupOf.set(event.consumer, event.group)
    else if (event.kind === 'polled') {
      const group = groupOf.get(event.consumer)
      if (group !== undefined)
        getOr(handled, `${group} ${event.place.partition}`, () => new Set<number>()).add(event.place.offset)
    } else if (event.kind === 'committed') {
      const seen = handled.get(`${event.group} ${event.place.partition}`)
      const known = [...(log.partitions.get(event.place.partition)?.keys() ?? [])]
      const missed = known.filter((offset) => offset < event.place.offset && seen?.has(offset) !== true)
      if (missed.length === 0) continue
      const message = `${event.group} committed ${show(event.place)}; none of its members saw ${missed.toSorted((a, b) => a - b).join(', ')}`
      found.push({ kind: 'commit-skip', message })
    }
  }
  return found
}

function describe(event: HistoryEvent & { kind: 'polled' }): string {
  return `${event.consumer} polled ${event.value} at ${show(event.place)}`
}

function show(place: Place): string {
  return `${place.partition}@${place.offset}`
}

function getOr<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const present = map.get(key)
  if (present !== undefined) return present
  const made = make()
  map.set(key, made)
  return made
}
