import type { TopicPartition } from '../topic-partition.ts'

/** A topic as the leader of the group sees it. */
export interface TopicLayout {
  readonly partitionCount: number
  /** For each partition the racks of its replicas, without those that have none. */
  readonly replicaRacks: ReadonlyArray<readonly string[]>
}

/** What the leader of a group knows of a member. */
export interface GroupMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly topics: readonly string[]
  /** What it owned when it joined; empty under the eager protocol. */
  readonly ownedPartitions: readonly TopicPartition[]
  /** In which generation it came to own them; -1 if it does not say. */
  readonly generationId: number
  readonly rackId: string | null
  /** What its own assignor gave along (`subscriptionUserData`); null for nothing. */
  readonly userData: Buffer | null
}

/** What a member got last, in whatever generation: also when it has given that up since. */
export interface LastAssignment {
  readonly partitions: readonly TopicPartition[]
  readonly generationId: number
}

export type Assignment = Map<string, TopicPartition[]>

/**
 * `eager`: a member gives everything up before it joins again. `cooperative`: it keeps what it has, and gives up only
 * what goes to another (KIP-429).
 */
export type RebalanceProtocol = 'eager' | 'cooperative'

/**
 * Decides who gets which partition; the group's leader calls it. A pure function: the same input gives the same assignment. Every member of a
 * group must offer at least one assignor of the same name.
 *
 * Under the cooperative protocol a partition that another member still owns may be given to a new owner only in the rebalance
 * after the one in which that member was not given it any more.
 *
 * What is assigned must be sound: each partition to one member at most, only partitions that exist, only to members of the group, only
 * of topics that the member subscribes to. Otherwise, or when `assign` throws, nothing is assigned: the consumer leaves the group, so that another member leads it, and
 * its loop throws `AssignorError`.
 */
export interface PartitionAssignor {
  /** As it stands in the protocol; members of a group agree on it by this name. */
  readonly name: string
  /** The protocols it can work under, the preferred one first. */
  readonly protocols: readonly RebalanceProtocol[]
  /** What goes with the member's subscription beside its topics, for `userData` of the leader's `GroupMember`. Default: nothing. */
  subscriptionUserData?(topics: readonly string[], last: LastAssignment | null): Buffer | null
  /** @param topics those that exist; a subscribed topic that is not here has no partitions yet */
  assign(
    topics: ReadonlyMap<string, TopicLayout>,
    members: readonly GroupMember[],
  ): ReadonlyMap<string, readonly TopicPartition[]>
}

/**
 * The order in which members are served, as Java's MemberInfo: static members first, by instance id, so that their ids
 * decide and not the member id of the moment; then the others by member id.
 */
export function compareMembers(a: GroupMember, b: GroupMember): number {
  if (a.groupInstanceId !== null && b.groupInstanceId !== null) return compareStrings(a.groupInstanceId, b.groupInstanceId)
  if (a.groupInstanceId !== null) return -1
  if (b.groupInstanceId !== null) return 1
  return compareStrings(a.memberId, b.memberId)
}

/** As Java compares strings: by UTF-16 code units. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

export function emptyAssignment(members: readonly GroupMember[]): Assignment {
  return new Map(members.map((member) => [member.memberId, []]))
}

/** Whether racks can tell members apart: some replicas are where members are, and not every partition is everywhere (Java: useRackAwareAssignment). */
export function usesRacks(consumerRacks: ReadonlySet<string>, racksByPartition: ReadonlyArray<ReadonlySet<string>>): boolean {
  const all = new Set(racksByPartition.flatMap((racks) => [...racks]))
  if ([...consumerRacks].every((rack) => !all.has(rack))) return false
  return racksByPartition.some((racks) => racks.size < all.size)
}
