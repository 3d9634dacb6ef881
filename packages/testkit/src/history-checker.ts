import { getOr, type Anomaly } from './anomaly.ts'
import { checkCommits } from './commit-checker.ts'
import { topicOf, type History, type HistoryEvent, type Place } from './history.ts'
import { checkOrder } from './order-checker.ts'
import { checkOwnership } from './ownership-checker.ts'

export interface CheckOptions {
  /** Topics that copies of records go to, whose values are therefore not their own. */
  readonly copyTopics?: readonly string[]
  /** Topics that a group need not read. */
  readonly unreadTopics?: readonly string[]
}

/**
 * Looks for what a Kafka must never do, after Jepsen's checker for Kafka (jepsen/tests/kafka.clj), and what a group of consumers must never do. The history tells what
 * is stored when all is over, and everything in it should have been handled by every group.
 */
export function checkHistory(history: History, options: CheckOptions = {}): Anomaly[] {
  const { events } = history
  return [
    ...new LogCheck(events, options).run(),
    ...sendOrder(events),
    ...checkOwnership(events),
    ...checkOrder(events),
    ...checkCommits(events),
  ]
}

/** What is stored against what was sent, acknowledged and read. */
class LogCheck {
  readonly #events: readonly HistoryEvent[]
  readonly #found: Anomaly[] = []
  readonly #copies: ReadonlySet<string>
  readonly #unread: ReadonlySet<string>
  readonly #deleted: ReadonlySet<string>
  /** Value → where it is stored, copies left out. */
  readonly #places = new Map<string, Set<string>>()
  /** Place → the values that were seen there, which should be one. */
  readonly #seen = new Map<string, Set<string>>()

  constructor(events: readonly HistoryEvent[], { copyTopics = [], unreadTopics = [] }: CheckOptions) {
    this.#events = events
    this.#copies = new Set(copyTopics)
    this.#unread = new Set(unreadTopics)
    this.#deleted = new Set(events.filter((event) => event.kind === 'deleted').map(({ topic }) => topic))
  }

  run(): Anomaly[] {
    for (const event of this.#events) {
      if (event.kind === 'stored') this.#note(event)
      else if ((event.kind === 'acked' || event.kind === 'polled') && !this.#deleted.has(topicOf(event.place.partition)))
        getOr(this.#seen, show(event.place), () => new Set<string>()).add(event.value)
    }
    this.#inconsistentOffsets()
    this.#duplicates()
    this.#neverSent()
    this.#lostWrites()
    this.#unseen()
    return this.#found
  }

  #note({ value, place }: HistoryEvent & { kind: 'stored' }): void {
    getOr(this.#seen, show(place), () => new Set<string>()).add(value)
    if (!this.#copies.has(topicOf(place.partition))) getOr(this.#places, value, () => new Set<string>()).add(show(place))
  }

  #inconsistentOffsets(): void {
    for (const [place, values] of this.#seen)
      if (values.size > 1) this.#add('inconsistent-offsets', `${place} holds ${[...values].join(' and ')}`)
  }

  #duplicates(): void {
    for (const [value, places] of this.#places)
      if (places.size > 1) this.#add('duplicate', `${value} is stored at ${[...places].join(' and ')}`)
  }

  #neverSent(): void {
    const sent = new Set(this.#events.filter((event) => event.kind === 'send').map(({ value }) => value))
    for (const event of this.#events) {
      if ((event.kind !== 'polled' && event.kind !== 'stored') || sent.has(event.value)) continue
      this.#add('never-sent', `${event.value} is at ${show(event.place)}, which nobody sent`)
    }
  }

  /** What was acknowledged is where the producer was told, unless the topic was deleted. */
  #lostWrites(): void {
    const stored = new Set<string>()
    for (const event of this.#events) if (event.kind === 'stored') stored.add(`${show(event.place)} ${event.value}`)
    for (const event of this.#events) {
      if (event.kind !== 'acked' || this.#deleted.has(topicOf(event.place.partition))) continue
      if (stored.has(`${show(event.place)} ${event.value}`)) continue
      this.#add('lost-write', `${event.value} was acknowledged at ${show(event.place)}, and is not there`)
    }
  }

  /** At least once: every group has handled everything that is stored. */
  #unseen(): void {
    for (const { group, value, place } of unhandled(this.#events, this.#unread))
      this.#add('unseen', `${value} is stored at ${show(place)}; no member of ${group} has handled it`)
  }

  #add(kind: Anomaly['kind'], message: string): void {
    this.#found.push({ kind, message })
  }
}

/** What is stored and was handled by no member of a group. */
export function unhandled(
  events: readonly HistoryEvent[],
  unreadTopics: ReadonlySet<string>,
): { readonly group: string; readonly value: string; readonly place: Place }[] {
  const groupOf = new Map<string, string>()
  const handled = new Set<string>()
  for (const event of events) {
    if (event.kind === 'member') groupOf.set(event.consumer, event.group)
    else if (event.kind === 'handled') handled.add(`${groupOf.get(event.consumer)!} ${event.place.partition} ${event.value}`)
  }
  const stored = events.filter((event) => event.kind === 'stored' && !unreadTopics.has(topicOf(event.place.partition)))
  return [...new Set(groupOf.values())].flatMap((group) =>
    (stored as (HistoryEvent & { kind: 'stored' })[])
      .filter(({ value, place }) => !handled.has(`${group} ${place.partition} ${value}`))
      .map(({ value, place }) => ({ group, value, place })),
  )
}

/** Acknowledged records of one producer lie in a partition in the order in which they were sent. */
function sendOrder(events: readonly HistoryEvent[]): Anomaly[] {
  const deleted = new Set(events.filter((event) => event.kind === 'deleted').map(({ topic }) => topic))
  const order = new Map<string, number>()
  let sends = 0
  for (const event of events) if (event.kind === 'send') order.set(event.value, sends++)
  const perStream = new Map<string, { order: number; place: Place; value: string }[]>()
  for (const event of events) {
    if (event.kind !== 'acked' || deleted.has(topicOf(event.place.partition))) continue
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

function show(place: Place): string {
  return `${place.partition}@${place.offset}`
}
