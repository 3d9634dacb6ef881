/** What clients did and saw, and what the group coordinator wrote, in the order in which it happened. Values are unique, but for copies. */
export type HistoryEvent =
  | { readonly kind: 'send'; readonly producer: string; readonly value: string }
  | { readonly kind: 'acked'; readonly producer: string; readonly value: string; readonly place: Place }
  /** The broker may have it or not. */
  | { readonly kind: 'unknown'; readonly producer: string; readonly value: string; readonly error: string }
  /** Someone has looked into the log when all was over. */
  | { readonly kind: 'stored'; readonly topicId: string; readonly value: string; readonly place: Place }
  /** The topic is gone, with all that was in it; perhaps another one of that name comes. */
  | { readonly kind: 'deleted'; readonly topic: string }
  /** A consumer begins. Several lives of one static member share an `identity`. */
  | {
      readonly kind: 'member'
      readonly consumer: string
      readonly identity: string
      readonly group: string
      readonly order: Order
    }
  /** From now on the consumer holds this partition, until it is `released`. Nothing is known of its earlier position. */
  | { readonly kind: 'assigned'; readonly consumer: string; readonly partition: string }
  | { readonly kind: 'released'; readonly consumer: string; readonly partition: string }
  /** Of all partitions, as the process is no more. */
  | { readonly kind: 'crashed'; readonly consumer: string }
  /** All that the consumer has in this generation (or with this member epoch). */
  | { readonly kind: 'owns'; readonly consumer: string; readonly generation: number; readonly partitions: readonly string[] }
  /** It goes on from there, at its own wish; `offset` null: from somewhere before what it had in hand. */
  | { readonly kind: 'sought'; readonly consumer: string; readonly partition: string; readonly offset: number | null }
  /** Handling begins. */
  | { readonly kind: 'polled'; readonly consumer: string; readonly value: string; readonly place: Place; readonly key?: string }
  | { readonly kind: 'handled'; readonly consumer: string; readonly value: string; readonly place: Place }
  /** Handling ended badly, and may begin anew. */
  | { readonly kind: 'failed'; readonly consumer: string; readonly place: Place }
  /** A consumer was told that this is the group's position now. */
  | { readonly kind: 'committed'; readonly group: string; readonly place: Place }
  /** The coordinator wrote the group's position: everything before it was handled by one of the members. */
  | { readonly kind: 'wrote'; readonly group: string; readonly topicId: string; readonly place: Place }
  /** The coordinator forgot the position. */
  | { readonly kind: 'forgot'; readonly group: string; readonly partition: string }
  /** The coordinator wrote who is in the group, and has what. */
  | { readonly kind: 'owners'; readonly group: string; readonly members: readonly Owner[] }

/** What is handled one after another: all of a partition; the same, but many at a time; what has the same key in a partition; or nothing. */
export type Order = 'partition' | 'batch' | 'key' | 'none'

export interface Place {
  /** `topic-0`. */
  readonly partition: string
  readonly offset: number
}

/** A member as the coordinator has it. */
export interface Owner {
  readonly memberId: string
  /** Its group instance id, or else its client id. (A life of a static member that follows another keeps the client id of that.) */
  readonly identity: string
  /** The generation, or the member's epoch. */
  readonly generation: number
  /** What it has, or has to give back. */
  readonly partitions: readonly string[]
  /** The same, with each topic's id: told apart from what had its name before. */
  readonly partitionIds: readonly string[]
}

type EventOf<Kind extends HistoryEvent['kind']> = Omit<Extract<HistoryEvent, { kind: Kind }>, 'kind'>

/** Collects the events of one run. */
export class History {
  readonly events: HistoryEvent[] = []

  add<Kind extends HistoryEvent['kind']>(kind: Kind, event: EventOf<Kind>): void {
    this.events.push({ kind, ...event } as unknown as HistoryEvent)
  }

  send(producer: string, value: string): void {
    this.add('send', { producer, value })
  }

  acked(producer: string, value: string, place: Place): void {
    this.add('acked', { producer, value, place })
  }

  unknown(producer: string, value: string, error: unknown): void {
    this.add('unknown', { producer, value, error: String(error) })
  }
}

/** The topic of `topic-0`. */
export function topicOf(partition: string): string {
  return partition.slice(0, partition.lastIndexOf('-'))
}
