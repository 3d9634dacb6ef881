import type { TopicPartition } from '../topic-partition.ts'

/** What the leader of a group knows of a member. */
export interface GroupMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly topics: readonly string[]
  /** What it owned when it joined; empty under the eager protocol. */
  readonly ownedPartitions: readonly TopicPartition[]
  /** In which generation it came to own them; -1 if it does not say. */
  readonly generationId: number
}

export type Assignment = Map<string, TopicPartition[]>

/**
 * `eager`: a member gives everything up before it joins again. `cooperative`: it keeps what it has, and gives up only
 * what goes to another (KIP-429).
 */
export type RebalanceProtocol = 'eager' | 'cooperative'

/** Decides who gets which partition. A pure function: the same input gives the same assignment. */
export interface Assignor {
  /** As it stands in the protocol; members of a group agree on it by this name. */
  readonly name: string
  /** The protocols it can work under, the preferred one first. */
  readonly protocols: readonly RebalanceProtocol[]
  /** What goes with the member's subscription beside its topics. */
  userData(generationId: number): Buffer | null
  /** @param partitionCounts topics that exist; a subscribed topic that is not here has no partitions yet */
  assign(partitionCounts: ReadonlyMap<string, number>, members: readonly GroupMember[]): Assignment
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

export function compareStrings(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

export function emptyAssignment(members: readonly GroupMember[]): Assignment {
  return new Map(members.map((member) => [member.memberId, []]))
}
