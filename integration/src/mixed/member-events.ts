/** What a member's process prints, a JSON object per line: the events of Kafka's VerifiableConsumer, which the others print likewise. */
export type MemberEvent =
  | { readonly name: 'startup_complete' | 'shutdown_complete'; readonly timestamp: number }
  | {
      readonly name: 'partitions_assigned' | 'partitions_revoked'
      readonly timestamp: number
      readonly partitions: readonly { readonly partition: number }[]
    }
  | {
      readonly name: 'record_data'
      readonly timestamp: number
      readonly topic: string
      readonly partition: number
      readonly offset: number
      readonly key: string | null
      readonly value: string
    }

/** What our own member is told, as JSON in its only argument. */
export interface OurMemberSettings {
  readonly bootstrapServers: string
  readonly topic: string
  readonly groupId: string
  /** Options of `Consumer`. */
  readonly options: Readonly<Record<string, unknown>>
  /** Null for a loop over the records. */
  readonly run: RunSettings | null
}

/** Consuming by `run` with keys in order: a value that ends in `!` fails the first time, one that ends in `!!` each time. */
export interface RunSettings {
  readonly concurrency: number
  readonly deadLetterTopic: string
}
