import { CONSUMER_PROTOCOL_TYPE } from '../coordinator/consumer-protocol.ts'
import { NO_EPOCHS, NO_PARTITIONS, type Assignment } from './assignment.ts'
import { HeldPartitions } from './held-partitions.ts'
import { hashMapOrder, stringHash } from './java-order.ts'
import {
  isReconciledTo,
  LEAVE_EPOCH,
  metadataOf,
  newMember,
  progressOf,
  regexOf,
  type ConsumerMember,
} from './consumer-member.ts'
import type { ConsumerRecord, ResolvedRegex } from './consumer-records.ts'

export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable'

/** How many members subscribe to a topic by its name, and how many regular expressions that are in use stand for it. */
export interface SubscriptionCount {
  readonly byName: number
  readonly byRegex: number
}

/** What follows from the members alone; made when it is asked for, and again after a change. */
interface Derived {
  readonly subscriptions: ReadonlyMap<string, SubscriptionCount>
  readonly regexes: ReadonlyMap<string, number>
  readonly assignors: ReadonlyMap<string, number>
  readonly classicMembers: number
}

/**
 * A group whose partitions the coordinator assigns (KIP-848). It is what its records in the offsets topic say, and nothing more:
 * `apply` is the only way to change it, at a replay as in service. Kafka's ConsumerGroup and ModernGroup.
 */
export class ConsumerGroup {
  readonly type = 'consumer'
  readonly protocolType: string = CONSUMER_PROTOCOL_TYPE
  readonly id: string
  readonly #members: Map<string, ConsumerMember>
  readonly #instances: Map<string, string>
  readonly #targets: Map<string, Assignment>
  readonly #regexes: Map<string, ResolvedRegex>
  #epoch = 1
  #metadataHash = 0n
  #assignmentEpoch = 1
  #assignedAt = 0
  #hasPartitionMetadata = false
  #mostMembers = 0
  /** The metadata of its topics may have changed since the hash was computed. Not in the log: true after a restart. */
  metadataIsStale = true
  #derived: Derived | null = null
  readonly #held: HeldPartitions

  constructor(id: string, from?: ConsumerGroup) {
    this.id = id
    this.#members = new Map(from?.members)
    this.#instances = new Map(from?.instances)
    this.#targets = new Map(from?.targets)
    this.#regexes = new Map(from?.regexes)
    this.#held = new HeldPartitions(from === undefined ? undefined : from.#held)
    if (from === undefined) return
    this.#epoch = from.epoch
    this.#metadataHash = from.metadataHash
    this.#assignmentEpoch = from.assignmentEpoch
    this.#assignedAt = from.assignedAt
    this.#hasPartitionMetadata = from.hasPartitionMetadata
    this.#mostMembers = from.mostMembers
    this.metadataIsStale = from.metadataIsStale
  }

  get members(): ReadonlyMap<string, ConsumerMember> {
    return this.#members
  }

  /** Static members: ids by instance id. */
  get instances(): ReadonlyMap<string, string> {
    return this.#instances
  }

  /** What each member shall have, by member id. */
  get targets(): ReadonlyMap<string, Assignment> {
    return this.#targets
  }

  /** Regular expressions that were looked up. */
  get regexes(): ReadonlyMap<string, ResolvedRegex> {
    return this.#regexes
  }

  /** Goes up whenever partitions must be assigned anew. */
  get epoch(): number {
    return this.#epoch
  }

  /** Of the topics that the group subscribes to. */
  get metadataHash(): bigint {
    return this.#metadataHash
  }

  /** The epoch that the targets were computed for; -1 when they were deleted. */
  get assignmentEpoch(): number {
    return this.#assignmentEpoch
  }

  /** When the targets were computed, epoch ms; 0: not known. */
  get assignedAt(): number {
    return this.#assignedAt
  }

  get hasPartitionMetadata(): boolean {
    return this.#hasPartitionMetadata
  }

  /** How many members it has had at the same time. Kafka's tables stay as large as that, and with them the order of members. */
  get mostMembers(): number {
    return this.#mostMembers
  }

  get isEmpty(): boolean {
    return this.#members.size === 0
  }

  get state(): ConsumerGroupState {
    if (this.isEmpty) return 'Empty'
    if (this.#epoch > this.#assignmentEpoch) return 'Assigning'
    for (const member of this.#members.values()) if (!isReconciledTo(member, this.#assignmentEpoch)) return 'Reconciling'
    return 'Stable'
  }

  target(memberId: string): Assignment {
    return this.#targets.get(memberId) ?? NO_PARTITIONS
  }

  staticMember(instanceId: string): ConsumerMember | undefined {
    const id = this.#instances.get(instanceId)
    return id === undefined ? undefined : this.#members.get(id)
  }

  isSubscribedTo(topic: string): boolean {
    return this.subscriptions.has(topic)
  }

  /** By topic name. */
  get subscriptions(): ReadonlyMap<string, SubscriptionCount> {
    return this.#derive().subscriptions
  }

  /** How many members use each regular expression. */
  get subscribedRegexes(): ReadonlyMap<string, number> {
    return this.#derive().regexes
  }

  get classicMembers(): number {
    return this.#derive().classicMembers
  }

  /** What most members with a preference ask for; null when none has one. Among equals Kafka's hash table decides. */
  get preferredAssignor(): string | null {
    const { assignors } = this.#derive()
    let winner: string | null = null
    for (const name of hashMapOrder([...assignors.keys()], stringHash)) {
      if (winner === null || assignors.get(name)! > assignors.get(winner)!) winner = name
    }
    return winner
  }

  /** Whether all members subscribe to the same topics (ConsumerGroup.subscriptionType). */
  get isHomogeneous(): boolean {
    const { subscriptions, regexes } = this.#derive()
    const count = this.#members.size
    if (regexes.size === 0) return [...subscriptions.values()].every(({ byName }) => byName === count)
    const [users] = regexes.values()
    return users === count && [...subscriptions.values()].every(({ byName, byRegex }) => byRegex === 1 && byName === 0)
  }

  /** Whether a member has the partition, or was told to give it back and did not yet. */
  isOwned(topicId: string, partition: number): boolean {
    return this.#held.has(topicId, partition)
  }

  apply(record: ConsumerRecord): void {
    this.#derived = null
    this.#change(record)
    this.#mostMembers = Math.max(this.#mostMembers, this.#members.size)
  }

  #change(record: ConsumerRecord): void {
    switch (record.type) {
      case 'member':
        return this.#applyMember(record.member, record.value)
      case 'progress':
        return this.#applyProgress(record.member, record.value)
      case 'epoch':
        // The tombstone ends the group; who keeps groups drops it.
        if (record.value === null) return
        this.#epoch = record.value.epoch
        this.#metadataHash = record.value.metadataHash
        return
      case 'target':
        if (record.value === null) this.#targets.delete(record.member)
        else this.#targets.set(record.member, record.value)
        return
      case 'target-epoch':
        this.#assignmentEpoch = record.value?.epoch ?? -1
        this.#assignedAt = record.value?.computedAt ?? 0
        return
      case 'regex':
        if (record.value === null) this.#regexes.delete(record.regex)
        else this.#regexes.set(record.regex, record.value)
        return
      case 'partition-metadata':
        this.#hasPartitionMetadata = record.value !== null
    }
  }

  #applyMember(id: string, metadata: (ConsumerRecord & { type: 'member' })['value']): void {
    const former = this.#members.get(id)
    if (metadata !== null) {
      this.#members.set(id, { ...(former ?? newMember(id)), ...metadataOf(metadata) })
      if (metadata.instanceId !== null) this.#instances.set(metadata.instanceId, id)
      return
    }
    this.#members.delete(id)
    this.#noLongerHeld(former)
    // Its successor may have the instance already.
    const instanceId = former?.instanceId ?? null
    if (instanceId !== null && this.#instances.get(instanceId) === id) this.#instances.delete(instanceId)
  }

  #applyProgress(id: string, progress: (ConsumerRecord & { type: 'progress' })['value']): void {
    const former = this.#members.get(id)
    this.#noLongerHeld(former)
    if (progress !== null) {
      this.#members.set(id, { ...(former ?? newMember(id)), ...progressOf(progress) })
      this.#held.add(progress.assigned)
      this.#held.add(progress.revoking)
    } else if (former !== undefined) {
      // What remains is deleted by the tombstone that follows.
      const left = { epoch: LEAVE_EPOCH, previousEpoch: LEAVE_EPOCH, assigned: NO_EPOCHS, revoking: NO_EPOCHS }
      this.#members.set(id, { ...former, ...left })
    }
  }

  #noLongerHeld(member: ConsumerMember | undefined): void {
    if (member === undefined) return
    this.#held.remove(member.assigned)
    this.#held.remove(member.revoking)
  }

  #derive(): Derived {
    if (this.#derived !== null) return this.#derived
    const subscriptions = new Map<string, SubscriptionCount>()
    const regexes = new Map<string, number>()
    const assignors = new Map<string, number>()
    let classicMembers = 0
    for (const member of this.#members.values()) {
      for (const topic of member.topicNames) {
        const { byName = 0, byRegex = 0 } = subscriptions.get(topic) ?? {}
        subscriptions.set(topic, { byName: byName + 1, byRegex })
      }
      const regex = regexOf(member)
      if (regex !== null) regexes.set(regex, (regexes.get(regex) ?? 0) + 1)
      if (member.serverAssignor !== null) {
        assignors.set(member.serverAssignor, (assignors.get(member.serverAssignor) ?? 0) + 1)
      }
      if (member.classic !== null) classicMembers++
    }
    for (const { topics } of this.#regexes.values()) {
      for (const topic of topics) {
        const { byName = 0, byRegex = 0 } = subscriptions.get(topic) ?? {}
        subscriptions.set(topic, { byName, byRegex: byRegex + 1 })
      }
    }
    return (this.#derived = { subscriptions, regexes, assignors, classicMembers })
  }
}

/** All that the log must say about the group (createConsumerGroupRecords). */
export function* recordsOf(group: ConsumerGroup): Iterable<ConsumerRecord> {
  const { id, epoch, metadataHash, assignmentEpoch, assignedAt } = group
  for (const member of group.members.values()) yield { type: 'member', group: id, member: member.id, value: member }
  yield { type: 'epoch', group: id, value: { epoch, metadataHash } }
  for (const [regex, value] of group.regexes) yield { type: 'regex', group: id, regex, value }
  for (const [member, value] of group.targets) yield { type: 'target', group: id, member, value }
  yield { type: 'target-epoch', group: id, value: { epoch: assignmentEpoch, computedAt: assignedAt } }
  for (const member of group.members.values()) yield { type: 'progress', group: id, member: member.id, value: member }
}

/** What ends the group in the log (ConsumerGroup.createGroupTombstoneRecords). */
export function* tombstonesOf(group: ConsumerGroup): Iterable<ConsumerRecord> {
  const { id } = group
  for (const member of group.members.keys()) yield { type: 'progress', group: id, member, value: null }
  for (const member of group.targets.keys()) yield { type: 'target', group: id, member, value: null }
  yield { type: 'target-epoch', group: id, value: null }
  for (const member of group.members.keys()) yield { type: 'member', group: id, member, value: null }
  for (const regex of group.regexes.keys()) yield { type: 'regex', group: id, regex, value: null }
  yield { type: 'partition-metadata', group: id, value: null }
  yield { type: 'epoch', group: id, value: null }
}
