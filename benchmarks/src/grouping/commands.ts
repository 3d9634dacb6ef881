/** What a group of members is asked to do, a line each; every command is answered by a line of JSON. */
export type Command =
  /** All members join a new group; answered by `Formed` when it has settled. */
  | `form ${string} ${GroupProtocol}`
  /** Nothing, for as many milliseconds; answered by a `Change` in which nothing changes. */
  | `rest ${number}`
  /** The last member leaves in order, or joins again; answered by a `Change` when the group has settled. */
  | 'leave'
  | 'join'
  /** All leave. */
  | 'disband'

/** An assignor of the classic protocol, or the one in which the coordinator assigns (KIP-848). */
export const GROUP_PROTOCOLS = ['range', 'cooperative-sticky', 'consumer'] as const
export type GroupProtocol = (typeof GROUP_PROTOCOLS)[number]

export interface Formed {
  readonly settleMs: number
}

/** What one change did to the group. */
export interface Change {
  /** From the leave, or the join, until every partition has exactly one owner and every member its share, as the members see it. */
  readonly settleMs: number
  /** Members that had the same partitions before and after, and how often all of them together were told of some. */
  readonly untouched: number
  readonly untouchedEvents: number
  /** The longest time in which one of them got no record. */
  readonly untouchedGapMs: number
  /** Partitions that stayed where they were, and the longest time in which nothing came of one of them. */
  readonly kept: number
  readonly keptGapMs: number
  /** The same for a partition that moved. */
  readonly movedGapMs: number
}

export interface GroupSettings {
  readonly bootstrapServers: string
  readonly topic: string
  readonly partitions: number
  readonly members: number
  /** For the classic protocol; in the other one the broker has its own. */
  readonly heartbeatIntervalMs: number
  /** Within which the group must settle, and records of all partitions come. */
  readonly limitMs: number
}
