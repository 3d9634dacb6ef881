/** What clients did and saw, in the order in which they did and saw it. Values are unique in a history. */
export type HistoryEvent =
  | { readonly kind: 'send'; readonly producer: string; readonly value: string }
  | { readonly kind: 'acked'; readonly producer: string; readonly value: string; readonly place: Place }
  /** The broker may have it or not. */
  | { readonly kind: 'unknown'; readonly producer: string; readonly value: string; readonly error: string }
  /** The consumer begins to read this partition anew: nothing is known of its earlier position. */
  | { readonly kind: 'assigned'; readonly consumer: string; readonly partition: string }
  | { readonly kind: 'polled'; readonly consumer: string; readonly value: string; readonly place: Place }
  /** The group's position: everything before it was handled by one of its members. */
  | { readonly kind: 'committed'; readonly group: string; readonly place: Place }
  | { readonly kind: 'member'; readonly consumer: string; readonly group: string }

export interface Place {
  /** `topic-0`. */
  readonly partition: string
  readonly offset: number
}

/** Collects the events of one run. */
export class History {
  readonly events: HistoryEvent[] = []

  send(producer: string, value: string): void {
    this.events.push({ kind: 'send', producer, value })
  }

  acked(producer: string, value: string, place: Place): void {
    this.events.push({ kind: 'acked', producer, value, place })
  }

  unknown(producer: string, value: string, error: unknown): void {
    this.events.push({ kind: 'unknown', producer, value, error: String(error) })
  }

  member(consumer: string, group: string): void {
    this.events.push({ kind: 'member', consumer, group })
  }

  assigned(consumer: string, partition: string): void {
    this.events.push({ kind: 'assigned', consumer, partition })
  }

  polled(consumer: string, value: string, place: Place): void {
    this.events.push({ kind: 'polled', consumer, value, place })
  }

  committed(group: string, place: Place): void {
    this.events.push({ kind: 'committed', group, place })
  }
}
