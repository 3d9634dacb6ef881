import { getOr, type Anomaly } from './anomaly.ts'
import { topicOf, type HistoryEvent, type Order, type Place } from './history.ts'

/** What a consumer does with a partition while it holds it. */
interface Holding {
  /** By lane: the offset that was begun last. What must be handled one after another is a lane. */
  readonly last: Map<string, number>
  /** By lane: what has begun and has not ended. */
  readonly open: Map<string, Set<number>>
  /** What was begun, so that nothing is begun twice. */
  readonly begun: Set<number>
  /** What failed, and may begin again. */
  readonly failed: Set<number>
}

/**
 * While it holds a partition, a consumer reads it forwards, leaves out nothing that is stored, begins nothing twice, and handles one after another what its order
 * says; it begins nothing of what it does not hold.
 */
export function checkOrder(events: readonly HistoryEvent[]): Anomaly[] {
  const check = new OrderCheck(events)
  for (const event of events) check.see(event)
  return check.found
}

class OrderCheck {
  readonly found: Anomaly[] = []
  readonly #orders = new Map<string, Order>()
  /** Consumer and partition. */
  readonly #holdings = new Map<string, Holding>()
  /** Partition → the offsets at which something is stored. */
  readonly #stored = new Map<string, Set<number>>()
  readonly #deleted = new Set<string>()

  constructor(events: readonly HistoryEvent[]) {
    for (const event of events) {
      if (event.kind === 'deleted') this.#deleted.add(event.topic)
      if (event.kind === 'stored' || event.kind === 'acked' || event.kind === 'polled')
        getOr(this.#stored, event.place.partition, () => new Set<number>()).add(event.place.offset)
    }
  }

  see(event: HistoryEvent): void {
    if (event.kind === 'member') this.#orders.set(event.consumer, event.order)
    else if (event.kind === 'assigned' || event.kind === 'sought') this.#begin(`${event.consumer} ${event.partition}`)
    else if (event.kind === 'released') this.#holdings.delete(`${event.consumer} ${event.partition}`)
    else if (event.kind === 'polled') this.#polled(event)
    else if (event.kind === 'handled') this.#ended(event.consumer, event.place)
    else if (event.kind === 'failed') {
      this.#ended(event.consumer, event.place)
      this.#holdings.get(`${event.consumer} ${event.place.partition}`)?.failed.add(event.place.offset)
    }
  }

  #begin(key: string): void {
    this.#holdings.set(key, { last: new Map(), open: new Map(), begun: new Set(), failed: new Set() })
  }

  #polled(event: HistoryEvent & { kind: 'polled' }): void {
    const { consumer, place, key } = event
    // Another log may be in the place of the one that was read.
    if (this.#deleted.has(topicOf(place.partition))) return
    const holding = this.#holdings.get(`${consumer} ${place.partition}`)
    if (holding === undefined) {
      this.found.push({ kind: 'unowned-poll', message: `${describe(event)}, which it does not have` })
      return
    }
    const order = this.#orders.get(consumer)!
    const isWhole = order === 'partition' || order === 'batch'
    const lane = isWhole ? '' : order === 'key' && key !== undefined ? `key ${key}` : `offset ${place.offset}`
    const { last, open, begun, failed } = holding
    const running = getOr(open, lane, () => new Set<number>())
    if (running.size > 0 && order !== 'batch') {
      const message = `${describe(event)} while it handled ${[...running].join(', ')}`
      this.found.push({ kind: 'not-one-by-one', message })
    }
    const before = last.get(lane)
    const isAgain = failed.delete(place.offset)
    if (!isAgain && (begun.has(place.offset) || (before !== undefined && place.offset <= before)))
      this.found.push({ kind: 'nonmonotonic-poll', message: `${describe(event)} after offset ${before}` })
    if (isWhole) this.#checkSkip(event, before)
    running.add(place.offset)
    begun.add(place.offset)
    last.set(lane, place.offset)
  }

  #checkSkip(event: HistoryEvent & { kind: 'polled' }, before: number | undefined): void {
    if (before === undefined) return
    const { partition, offset } = event.place
    const skipped: number[] = []
    const stored = this.#stored.get(partition)!
    for (let passed = before + 1; passed < offset; passed++) if (stored.has(passed)) skipped.push(passed)
    if (skipped.length === 0) return
    const message = `${describe(event)} after offset ${before}, leaving out ${skipped.join(', ')}`
    this.found.push({ kind: 'poll-skip', message })
  }

  #ended(consumer: string, { partition, offset }: Place): void {
    const holding = this.#holdings.get(`${consumer} ${partition}`)
    for (const running of holding?.open.values() ?? []) running.delete(offset)
  }
}

function describe({ consumer, value, place }: HistoryEvent & { kind: 'polled' }): string {
  return `${consumer} polled ${value} at ${place.partition}@${place.offset}`
}
