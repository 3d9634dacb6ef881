import { ErrorCode } from '@millrace/protocol'
import type { BrokerConfig } from '../config/broker-config.ts'
import { resolveGroupConfig } from '../config/group-config.ts'
import { ConsumerGroup, tombstonesOf } from '../consumer-groups/consumer-group.ts'
import { encodeConsumerRecord, type ConsumerRecord } from '../consumer-groups/consumer-records.ts'
import type { GroupChange } from '../consumer-groups/group-change.ts'
import { GroupError } from '../consumer-groups/group-error.ts'
import { makeConsumerGroups, type ConsumerGroups } from '../consumer-groups/consumer-groups.ts'
import { TopicMetadata, type TopicsView } from '../consumer-groups/topic-metadata.ts'
import type { BrokerEvents } from '../core/broker-events.ts'
import { Deadlines } from '../core/deadlines.ts'
import type { JournalRecord } from '../metadata/journal.ts'
import { ClassicGroup } from './classic-group.ts'
import { ClassicMembership } from './classic-membership.ts'
import { GroupOffsets } from './group-offsets.ts'
import { GroupRequests } from './group-requests.ts'
import { decodeOffsetsRecord, groupRecord, groupTombstone, offsetRecord, type CommittedOffset } from './offset-records.ts'
import type { OffsetsTopic } from './offsets-topic.ts'
import { Rebalance } from './rebalance.ts'
import { RollUp } from './roll-up.ts'

/** A group of the classic protocol, or one of KIP-848. */
export type Group = ClassicGroup | ConsumerGroup

export interface GroupCoordinatorDependencies {
  readonly config: BrokerConfig
  /** The group's own configuration, by Kafka's names. */
  readonly groupConfigs: (groupId: string) => ReadonlyMap<string, string>
  readonly topics: TopicsView
  /** Goes up with every change of the topics. */
  readonly metadataVersion: () => number
  readonly random: () => number
  readonly events: BrokerEvents
  readonly log: OffsetsTopic
  /** Called when the coordinator must be told the time earlier than it was known so far. */
  readonly onEarlierDeadline: (at: number) => void
}

export interface OffsetToCommit {
  readonly topic: string
  readonly partition: number
  readonly commit: CommittedOffset
}

/** The owner of all groups and their offsets. Every change is in the offsets topic before a client hears of it. */
export class GroupCoordinator {
  readonly requests: GroupRequests
  readonly #config: BrokerConfig
  readonly #events: BrokerEvents
  readonly #log: OffsetsTopic
  readonly #deadlines: Deadlines
  readonly #rebalance: Rebalance
  readonly #groups = new Map<string, Group>()
  readonly #metadata: TopicMetadata
  readonly #consumerGroups: ConsumerGroups
  readonly #offsets = new GroupOffsets()
  readonly #rollUp: RollUp

  constructor(dependencies: GroupCoordinatorDependencies) {
    const { config, random, events, log, onEarlierDeadline } = dependencies
    this.#config = config
    this.#events = events
    this.#log = log
    this.#deadlines = new Deadlines(onEarlierDeadline)
    this.#rebalance = new Rebalance(this.#deadlines, config.groupInitialRebalanceDelayMs, (group, assignments, now) =>
      this.append(group.id, [groupRecord(group, assignments)], now),
    )
    this.#rollUp = new RollUp({ log, events, deadlines: this.#deadlines, groups: this.#groups, offsets: this.#offsets })
    this.#metadata = new TopicMetadata(dependencies.topics, dependencies.metadataVersion)
    this.#consumerGroups = makeConsumerGroups({
      config,
      groupConfig: (id) => resolveGroupConfig(dependencies.groupConfigs(id), config),
      random,
      metadata: this.#metadata,
      deadlines: this.#deadlines,
      find: (id) => this.#groups.get(id),
      commit: (change, now) => this.#commitChange(change, now),
      downgraded: (group, rebalance, now) => this.#downgraded(group, rebalance, now),
    })
    this.requests = new GroupRequests({
      ...this.#consumerGroups,
      classic: new ClassicMembership(this.#rebalance, random, config.groupMaxSize),
      find: (id) => this.#groups.get(id),
      createClassic: (id, now) => this.createGroup(id, now),
    })
  }

  /** When `tick` has something to do; Infinity when there is nothing. */
  get deadline(): number {
    return this.#deadlines.next
  }

  tick(now: number): void {
    this.#deadlines.fire(now)
  }

  get offsets(): Pick<GroupOffsets, 'get' | 'of' | 'has'> {
    return this.#offsets
  }

  /** Rebuilds all groups from the offsets topic. Members have a whole session timeout to show themselves. */
  load(now: number): void {
    this.#log.replay(({ key, value }) => {
      const record = key === null ? null : decodeOffsetsRecord(key, value)
      if (record === null) return
      if (record.type === 'group') this.#replayGroup(record.group, record.value, now)
      else if (record.type === 'offset') this.#replayOffset(record.group, record.topic, record.partition, record.value, now)
      else this.#replayConsumer(record)
    })
    for (const group of this.#groups.values()) {
      if (group.type === 'consumer') {
        this.#consumerGroups.consumer.restored(group, now)
        continue
      }
      for (const member of group.members.values()) this.#rebalance.extendSession(group, member, now)
      if (group.members.size > this.#config.groupMaxSize) this.#rebalance.begin(group, now)
    }
    this.#scheduleExpiry(now)
  }

  /** Makes sure that the offsets topic is there, so that groups can be served; NONE or the error for the client. */
  ensureReady(now: number): number {
    return this.#log.ensure(now) ? ErrorCode.NONE : ErrorCode.COORDINATOR_NOT_AVAILABLE
  }

  groups(): Iterable<Group> {
    return this.#groups.values()
  }

  group(id: string): Group | undefined {
    return this.#groups.get(id)
  }

  /**
   * The classic group, made if need be, also in place of a consumer group without members. A new one is in the offsets topic when this
   * returns; else an error code is returned.
   */
  createGroup(id: string, now: number): ClassicGroup | number {
    const known = this.#groups.get(id)
    if (known?.type === 'classic') return known
    const group = new ClassicGroup(id, now)
    const ended = known === undefined ? [] : [...tombstonesOf(known)].map(encodeConsumerRecord)
    const error = this.append(id, [...ended, groupRecord(group, new Map())], now)
    if (error !== ErrorCode.NONE) return error
    this.#groups.set(id, group)
    return group
  }

  /** A commit by an active member keeps its session alive, as a heartbeat does. */
  extendSession(group: ClassicGroup, memberId: string, now: number): void {
    const member = group.members.get(memberId)
    if (member !== undefined) this.#rebalance.extendSession(group, member, now)
  }

  /** Stores the commits, all or none; NONE or the error for the client. */
  commit(groupId: string, commits: readonly OffsetToCommit[], now: number): number {
    const records = commits.map(({ topic, partition, commit }) => offsetRecord(groupId, topic, partition, commit))
    const error = this.append(groupId, records, now)
    if (error !== ErrorCode.NONE) return error
    for (const { topic, partition, commit } of commits) this.#replayOffset(groupId, topic, partition, commit, now)
    return ErrorCode.NONE
  }

  deleteOffsets(groupId: string, partitions: readonly { topic: string; partition: number }[], now: number): number {
    const present = partitions.filter(({ topic, partition }) => this.#offsets.get(groupId, topic, partition) !== undefined)
    const records = present.map(({ topic, partition }) => offsetRecord(groupId, topic, partition, null))
    const error = this.append(groupId, records, now)
    if (error !== ErrorCode.NONE) return error
    for (const { topic, partition } of present) this.#offsets.delete(groupId, topic, partition)
    return ErrorCode.NONE
  }

  deleteGroup(groupId: string, now: number): number {
    const group = this.#groups.get(groupId)
    if (group === undefined) return ErrorCode.GROUP_ID_NOT_FOUND
    if (group.state !== 'Empty') return ErrorCode.NON_EMPTY_GROUP
    const partitions = [...this.#allPartitions(groupId)]
    const records = partitions.map(({ topic, partition }) => offsetRecord(groupId, topic, partition, null))
    const tombstones = group.type === 'classic' ? [groupTombstone(groupId)] : [...tombstonesOf(group)].map(encodeConsumerRecord)
    const error = this.append(groupId, [...records, ...tombstones], now)
    if (error !== ErrorCode.NONE) return error
    for (const { topic, partition } of partitions) this.#offsets.delete(groupId, topic, partition)
    this.#forget(group, now)
    return ErrorCode.NONE
  }

  /** A topic is new, or has more partitions: groups that subscribe to it assign anew at their members' next heartbeats. */
  topicChanged(topic: string, isNew: boolean): void {
    this.#metadata.changed(topic, isNew)
    for (const group of this.#groups.values()) {
      if (group.type === 'consumer' && group.isSubscribedTo(topic)) group.metadataIsStale = true
    }
  }

  /** A topic is gone, and with it what was committed for it; a later topic of the same name starts anew. */
  topicDeleted(topic: { readonly name: string }, now: number): void {
    this.topicChanged(topic.name, false)
    for (const groupId of this.#offsets.groupIds()) {
      const partitions = [...(this.#offsets.of(groupId).get(topic.name)?.keys() ?? [])]
      this.deleteOffsets(
        groupId,
        partitions.map((partition) => ({ topic: topic.name, partition })),
        now,
      )
    }
  }

  /** Removes offsets that nobody needs any more, then groups that have none (`offsets.retention.minutes`). */
  expireOffsets(now: number): void {
    for (const group of this.#groups.values()) {
      const expired = [...this.#expired(group, now)]
      if (expired.length > 0 && this.deleteOffsets(group.id, expired, now) !== ErrorCode.NONE) continue
      const isAwaited = group.type === 'classic' && group.pendingJoin.size > 0
      if (group.state === 'Empty' && !isAwaited && !this.#offsets.has(group.id)) this.deleteGroup(group.id, now)
    }
  }

  /** Writes to the group's partition of the offsets topic; NONE or the error for the client. */
  append(groupId: string, records: readonly JournalRecord[], now: number): number {
    if (records.length === 0) return ErrorCode.NONE
    try {
      if (!this.#log.append(groupId, records, now)) return ErrorCode.COORDINATOR_NOT_AVAILABLE
      this.#rollUp.appended(groupId, records, now)
      return ErrorCode.NONE
    } catch (error) {
      this.#events.storageFailed({ what: `write the state of group ${groupId}`, error })
      return ErrorCode.COORDINATOR_NOT_AVAILABLE
    }
  }

  /** ClassicGroup.offsetExpirationCondition and ConsumerGroup's: which commits are past their time. */
  *#expired(group: Group, now: number): Iterable<{ topic: string; partition: number }> {
    if (group.type === 'classic' && !mayExpire(group)) return
    const simple = group.type === 'classic' && group.protocolType === null
    const isEmptied = group.type === 'classic' && group.state === 'Empty' && !simple && group.stateTimestamp !== -1
    const emptySince = isEmptied ? group.stateTimestamp : null
    for (const [topic, partitions] of this.#offsets.of(group.id)) {
      if (!simple && group.isSubscribedTo(topic)) continue
      for (const [partition, commit] of partitions) {
        const since = emptySince ?? commit.committedAt
        const over = commit.expiresAt === -1 ? now - since >= this.#config.offsetsRetentionMs : now >= commit.expiresAt
        if (over) yield { topic, partition }
      }
    }
  }

  *#allPartitions(groupId: string): Iterable<{ topic: string; partition: number }> {
    for (const [topic, partitions] of this.#offsets.of(groupId))
      for (const partition of partitions.keys()) yield { topic, partition }
  }

  #replayGroup(id: string, snapshot: Parameters<ClassicGroup['restore']>[0] | null, now: number): void {
    this.#groups.delete(id)
    if (snapshot === null) return
    const group = new ClassicGroup(id, now)
    group.restore(snapshot)
    this.#groups.set(id, group)
  }

  #replayOffset(groupId: string, topic: string, partition: number, commit: CommittedOffset | null, now: number): void {
    if (commit === null) return this.#offsets.delete(groupId, topic, partition)
    // Offsets without membership make a simple group, which exists by its commits alone.
    if (!this.#groups.has(groupId)) this.#groups.set(groupId, new ClassicGroup(groupId, now))
    this.#offsets.set(groupId, topic, partition, commit)
  }

  #replayConsumer(record: ConsumerRecord): void {
    const known = this.#groups.get(record.group)
    if (known?.type !== 'consumer' && record.value === null) return
    // What only holds offsets has no record of its own: its commits may precede the group's first record.
    const group = known?.type === 'consumer' ? known : new ConsumerGroup(record.group)
    group.apply(record)
    if (record.type === 'epoch' && record.value === null) this.#groups.delete(record.group)
    else this.#groups.set(record.group, group)
  }

  #commitChange(change: GroupChange, now: number): void {
    const error = this.append(change.id, change.records, now)
    if (error !== ErrorCode.NONE) throw new GroupError(error, `The state of group ${change.id} could not be stored.`)
    if (change.records.length > 0) this.#groups.set(change.id, change.successor ?? change.group)
    change.finish(now)
  }

  #downgraded(group: ClassicGroup, rebalance: boolean, now: number): void {
    for (const member of group.members.values()) this.#rebalance.extendSession(group, member, now)
    if (rebalance) this.#rebalance.prepare(group, now)
  }

  #forget(group: Group, now: number): void {
    this.#groups.delete(group.id)
    if (group.type === 'consumer') return
    group.transitionTo('Dead', now)
    for (const id of group.pendingJoin.keys()) group.remove(id)
  }

  #scheduleExpiry(now: number): void {
    this.#deadlines.schedule(now + this.#config.offsetsRetentionCheckIntervalMs, (at) => {
      this.expireOffsets(at)
      this.#scheduleExpiry(at)
    })
  }
}

/** A group of the consumer protocol without members, or with members that do not subscribe to the topic, lets go of offsets in time. */
function mayExpire(group: ClassicGroup): boolean {
  if (group.protocolType === null || group.state === 'Empty') return true
  return group.state === 'Stable' && group.usesConsumerProtocol && group.subscribedTopics !== null
}
