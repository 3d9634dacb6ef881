import type { BrokerConfig } from '../config/broker-config.ts'
import type { GroupConfig } from '../config/group-config.ts'
import type { ClassicGroup } from '../coordinator/classic-group.ts'
import type { Deadlines } from '../core/deadlines.ts'
import type { ConsumerGroup } from './consumer-group.ts'
import type { GroupChange } from './group-change.ts'
import type { MemberTimers } from './member-timers.ts'
import type { TopicMetadata } from './topic-metadata.ts'

/** What the parts of consumer groups share. */
export interface GroupServices {
  readonly config: BrokerConfig
  /** What a group of its own configuration, or the broker's, runs with now. */
  groupConfig(groupId: string): GroupConfig
  /** In [0, 1). */
  readonly random: () => number
  readonly metadata: TopicMetadata
  readonly deadlines: Deadlines
  readonly timers: MemberTimers
  find(groupId: string): ConsumerGroup | ClassicGroup | undefined
  /** Stores the change and puts the group in its place. Throws GroupError when it cannot be stored. */
  commit(change: GroupChange, now: number): void
  /** A classic group took the place of a consumer group: starts its members' sessions, and a rebalance if one is due. */
  downgraded(group: ClassicGroup, rebalance: boolean, now: number): void
}

/** Who asks. */
export interface MemberCaller {
  readonly version: number
  readonly clientId: string
  readonly clientHost: string
  readonly now: number
}
