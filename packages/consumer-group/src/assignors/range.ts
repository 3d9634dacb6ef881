import { compareTopicPartitions } from '../topic-partition.ts'
import {
  compareMembers,
  compareStrings,
  emptyAssignment,
  usesRacks,
  type Assignment,
  type GroupMember,
  type PartitionAssignor,
  type TopicLayout,
} from './assignor.ts'

/**
 * Java's RangeAssignor: each topic's partitions are cut into consecutive ranges, one per subscribed member in order; the first ones
 * get one more when it does not come out even. Topics with the same members and the same number of partitions are therefore cut at
 * the same places, which joins of co-partitioned topics rely on. Where members and replicas have racks, partitions go first to
 * members in a rack of theirs, as far as the shares and the co-partitioning stay the same (KIP-881).
 */
export const rangeAssignor: PartitionAssignor = {
  name: 'range',
  protocols: ['eager'],
  assign(topics: ReadonlyMap<string, TopicLayout>, members: readonly GroupMember[]): Assignment {
    const assignment = emptyAssignment(members)
    const shares: TopicShare[] = []
    const subscribers = subscribersByTopic(members)
    for (const topic of [...subscribers.keys()].sort(compareStrings)) {
      const layout = topics.get(topic)
      if (layout !== undefined && layout.partitionCount > 0) {
        shares.push(new TopicShare(topic, layout, subscribers.get(topic)!, assignment))
      }
    }
    const isRackAware = shares.some((share) => share.isRackAware)
    if (isRackAware) for (const group of coPartitioned(shares)) assignByRack(group)
    for (const share of shares) share.assignRanges(() => true)
    if (isRackAware) for (const partitions of assignment.values()) partitions.sort(compareTopicPartitions)
    return assignment
  },
}

/** One topic: what is unassigned, and how much each subscriber may still get. */
class TopicShare {
  readonly topic: string
  readonly members: readonly GroupMember[]
  readonly partitionCount: number
  readonly isRackAware: boolean
  readonly #assignment: Assignment
  readonly #racks: ReadonlyArray<ReadonlySet<string>>
  readonly #share: number
  #withOneMore: number
  readonly #counts = new Map<string, number>()
  readonly #unassigned: Set<number>

  constructor(topic: string, layout: TopicLayout, members: readonly GroupMember[], assignment: Assignment) {
    this.topic = topic
    this.members = members
    this.partitionCount = layout.partitionCount
    this.#assignment = assignment
    this.#share = Math.floor(layout.partitionCount / members.length)
    this.#withOneMore = layout.partitionCount % members.length
    this.#unassigned = new Set(Array.from({ length: layout.partitionCount }, (_, partition) => partition))
    const memberRacks = new Set(members.flatMap(({ rackId }) => (hasRack(rackId) ? [rackId] : [])))
    this.#racks =
      memberRacks.size === 0 ? [] : Array.from(this.#unassigned, (partition) => new Set(layout.replicaRacks[partition]))
    this.isRackAware = usesRacks(memberRacks, this.#racks)
  }

  room(member: GroupMember): number {
    const most = this.#share + (this.#withOneMore > 0 ? 1 : 0)
    return Math.max(0, most - (this.#counts.get(member.memberId) ?? 0))
  }

  /** A member without a rack is at home everywhere. */
  isNear(member: GroupMember, partition: number): boolean {
    return !hasRack(member.rackId) || (this.#racks[partition]?.has(member.rackId) ?? false)
  }

  assignRanges(mayHave: (member: GroupMember, partition: number) => boolean): void {
    for (const member of this.members) {
      const room = this.room(member)
      const partitions: number[] = []
      for (const partition of this.#unassigned) {
        if (partitions.length === room) break
        if (mayHave(member, partition)) partitions.push(partition)
      }
      if (partitions.length > 0) this.give(member, partitions)
    }
  }

  give(member: GroupMember, partitions: readonly number[]): void {
    const assigned = this.#assignment.get(member.memberId)!
    for (const partition of partitions) {
      assigned.push({ topic: this.topic, partition })
      this.#unassigned.delete(partition)
    }
    const count = (this.#counts.get(member.memberId) ?? 0) + partitions.length
    this.#counts.set(member.memberId, count)
    if (count > this.#share) this.#withOneMore--
  }
}

/** Topics with the same subscribers and as many partitions belong together. */
function coPartitioned(shares: readonly TopicShare[]): Iterable<TopicShare[]> {
  const groups = new Map<string, TopicShare[]>()
  for (const share of shares) {
    const key = JSON.stringify([share.partitionCount, ...share.members.map((member) => member.memberId)])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [share])
    else group.push(share)
  }
  return groups.values()
}

function assignByRack(group: readonly TopicShare[]): void {
  const [first] = group
  if (group.length === 1) {
    if (first!.isRackAware) first!.assignRanges((member, partition) => first!.isNear(member, partition))
    return
  }
  const takers = new Set(first!.members)
  for (let partition = 0; partition < first!.partitionCount && takers.size > 0; partition++) {
    for (const member of takers) {
      if (!group.every((share) => share.isNear(member, partition) && share.room(member) > 0)) continue
      for (const share of group) share.give(member, [partition])
      if (group.every((share) => share.room(member) === 0)) takers.delete(member)
      break
    }
  }
}

function hasRack(rackId: string | null): rackId is string {
  return rackId !== null && rackId !== ''
}

function subscribersByTopic(members: readonly GroupMember[]): Map<string, GroupMember[]> {
  const subscribers = new Map<string, GroupMember[]>()
  for (const member of members.toSorted(compareMembers)) {
    for (const topic of new Set(member.topics)) {
      const list = subscribers.get(topic)
      if (list === undefined) subscribers.set(topic, [member])
      else list.push(member)
    }
  }
  return subscribers
}
