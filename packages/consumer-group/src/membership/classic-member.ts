import { BrokerError, ErrorCode, errorFor, type KafkaError } from '@millrace/protocol'
import { RetryPolicy } from '@millrace/client/internal'
import type { HeartbeatResponse } from '@millrace/protocol/apis/heartbeat'
import type { JoinGroupResponse } from '@millrace/protocol/apis/join-group'
import type { SyncGroupResponse } from '@millrace/protocol/apis/sync-group'
import {
  compareStrings,
  type GroupMember,
  type LastAssignment,
  type RebalanceProtocol,
  type TopicLayout,
} from '../assignors/assignor.ts'
import { AssignorError } from '../assignors/assignor-error.ts'
import type { ConsumerEvents } from '../events.ts'
import { JOIN_TIMEOUT_LAPSE_MS } from '../limits.ts'
import { difference, type TopicPartition } from '../topic-partition.ts'
import { HEARTBEATING, isCoordinatorError, type BackoffOptions, type MemberState } from './classic-states.ts'
import { decodeAssignment } from './consumer-protocol.ts'
import { Heartbeats } from './heartbeats.ts'
import { assignGroup, readMembers } from './lead-group.ts'
import type { MemberEffect } from './member-effects.ts'
import type { LeaveOperation, MemberIdentity } from './membership.ts'
import { heartbeatRequest, joinRequest, leaveRequest, PROTOCOL_TYPE, syncRequest, type MemberConfig } from './member-requests.ts'
import { PartitionWatch } from './partition-watch.ts'

/**
 * A member of a classic group, without I/O: joins, leads if it is told to, heartbeats whatever the application does, and
 * follows rebalances under the eager or the cooperative protocol (KIP-429). `effects` holds what it wants done.
 */
export class ClassicMember {
  readonly effects: MemberEffect[] = []
  readonly protocol: RebalanceProtocol
  readonly #config: MemberConfig
  readonly #retryPolicy: RetryPolicy
  readonly #random: () => number
  readonly #watch = new PartitionWatch()
  #state: MemberState = 'idle'
  #memberId = ''
  #generationId = -1
  #topics: readonly string[]
  #owned: readonly TopicPartition[] = []
  /** What a revocation makes way for; null when it makes way for joining. */
  #adopted: readonly TopicPartition[] | null = null
  /** What a revocation is about. */
  #givingUp: readonly TopicPartition[] = []
  #joined: JoinGroupResponse | null = null
  /** What the group was told to be subscribed to. */
  #joinedTopics: readonly string[] = []
  #serial = 0
  #attempt = 0
  #waitUntil = Infinity
  #reason = ''
  #last: LastAssignment | null = null
  readonly #heartbeats: Heartbeats
  #pollDeadline = Infinity

  constructor(config: MemberConfig, topics: readonly string[], backoff: BackoffOptions, random: () => number) {
    this.#config = config
    this.#topics = topics
    this.#retryPolicy = new RetryPolicy(backoff.retryBackoffMs, backoff.retryBackoffMaxMs)
    this.#random = random
    this.#heartbeats = new Heartbeats(config.heartbeatIntervalMs, config.sessionTimeoutMs)
    const cooperative = config.assignors.every((assignor) => assignor.protocols.includes('cooperative'))
    this.protocol = cooperative ? 'cooperative' : 'eager'
  }

  get state(): MemberState {
    return this.#state
  }

  get isStatic(): boolean {
    return this.#config.groupInstanceId !== null
  }

  get identity(): MemberIdentity {
    return { memberId: this.#memberId, generationId: this.#generationId }
  }

  get owned(): readonly TopicPartition[] {
    return this.#owned
  }

  /** What is watched: the group's topics for its leader, its own for everyone else. */
  get groupTopics(): readonly string[] {
    return this.#watch.topics ?? this.#topics
  }

  /** When `tick` is next due. */
  get deadline(): number {
    let deadline = this.#state === 'waiting' ? this.#waitUntil : Infinity
    return this.#isHeartbeating ? Math.min(deadline, this.#heartbeats.deadline, this.#pollDeadline) : deadline
  }

  start(now: number): void {
    if (this.#state === 'idle') this.#prepare('first join', now)
  }

  /** Another subscription: the group must hear of it. */
  subscribe(topics: readonly string[], now: number): void {
    if (topics.length === this.#topics.length && topics.every((topic) => this.#topics.includes(topic))) return
    this.#topics = topics
    if (this.#state === 'stable') this.#prepare('the subscription changed', now)
  }

  tick(now: number): void {
    if (this.#state === 'waiting' && now >= this.#waitUntil) this.#join()
    if (!this.#isHeartbeating) return
    if (now >= this.#pollDeadline) return this.#expire(now)
    const silentMs = this.#heartbeats.silence(now)
    if (silentMs !== null) {
      // The session is over for all we know; its coordinator will tell, if it is still the coordinator.
      this.effects.push({ kind: 'coordinator-lost' })
      this.#zombie('session', `the coordinator of group ${this.#config.groupId} did not answer`, silentMs)
    }
    if (this.#heartbeats.isDue(now)) {
      const request = heartbeatRequest(this.#config, this.identity)
      this.effects.push({ kind: 'heartbeat', serial: this.#heartbeats.send(now), request })
    }
  }

  /** Until when the application must make progress; `Infinity` while it waits for us. One that had stopped is back. */
  setPollDeadline(deadline: number, now: number): void {
    this.#pollDeadline = deadline
    if (this.#state === 'expired' && deadline > now) this.#prepare('the application asks for records again', now)
  }

  /** What a `revoke` effect asked for is done. */
  revoked(serial: number, now: number): void {
    if (serial !== this.#serial || (this.#state !== 'preparing' && this.#state !== 'adopting')) return
    const adopted = this.#adopted
    this.#adopted = null
    if (adopted === null) {
      this.#owned = difference(this.#owned, this.#givingUp)
      return this.#join()
    }
    this.#take(adopted)
    this.#prepare('partitions were given up for others', now)
  }

  joinAnswered(serial: number, response: JoinGroupResponse, now: number): void {
    if (serial !== this.#serial || this.#state !== 'joining') return
    const { errorCode } = response
    if (errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.#memberId = response.memberId
      return this.#join()
    }
    if (errorCode !== ErrorCode.NONE) return this.#exchangeFailed(errorCode, 'JoinGroup', now)
    if (response.protocolType !== null && response.protocolType !== PROTOCOL_TYPE) {
      return this.#exchangeFailed(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, 'JoinGroup', now)
    }
    this.#memberId = response.memberId
    this.#generationId = response.generationId
    this.#joined = response
    // Nothing that is on its way for an earlier generation counts any more.
    this.#heartbeats.stop()
    this.#heartbeats.contact(now)
    this.#heartbeats.schedule(now)
    // A leader that is told to skip the assignment only watches over it (KIP-814).
    if (response.leader !== response.memberId) this.#watch.stop()
    if (response.leader === response.memberId) this.#lead(response)
    else this.#sync(new Map())
  }

  /** The answer to `describe-topics`; a topic that does not exist is left out. */
  topicsDescribed(serial: number, layouts: ReadonlyMap<string, TopicLayout>, now: number): void {
    if (serial !== this.#serial || this.#state !== 'assigning') return
    const joined = this.#joined!
    const { members } = readMembers(joined)
    this.#watch.start([...new Set([...topicsOf(members), ...this.#topics])], layouts, joined.generationId, joined.skipAssignment)
    if (joined.skipAssignment) return this.#sync(new Map())
    const assignor = this.#config.assignors.find(({ name }) => name === joined.protocolName)
    if (assignor === undefined) return this.#exchangeFailed(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, 'JoinGroup', now)
    try {
      this.#sync(assignGroup(this.#config.groupId, assignor, layouts, members, this.protocol))
    } catch (error) {
      if (!(error instanceof AssignorError)) throw error
      // The group shall not wait for this member: another one may lead it.
      this.#sayGoodbye(error.message, 'leave')
      this.fail(error)
    }
  }

  syncAnswered(serial: number, response: SyncGroupResponse, now: number): void {
    if (serial !== this.#serial || this.#state !== 'syncing') return
    if (response.errorCode !== ErrorCode.NONE) return this.#exchangeFailed(response.errorCode, 'SyncGroup', now)
    const { protocolType, protocolName } = response
    const isOurs = protocolType === null || protocolType === PROTOCOL_TYPE
    if (!isOurs || (protocolName !== null && protocolName !== this.#joined!.protocolName)) {
      return this.#exchangeFailed(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, 'SyncGroup', now)
    }
    const assigned = decodeAssignment(response.assignment)
    if (this.#joinedTopics !== this.#topics) return this.#joinLater('the subscription changed', now)
    const stranger = assigned.find(({ topic }) => !this.#topics.includes(topic))
    if (stranger !== undefined) return this.#joinLater(`assigned ${stranger.topic}, which is not subscribed`, now)
    this.#attempt = 0
    this.#heartbeats.contact(now)
    this.#last = { partitions: assigned, generationId: this.#generationId }
    const givenUp = difference(this.#owned, assigned)
    if (givenUp.length === 0) return this.#take(assigned)
    this.#adopted = assigned
    this.#state = 'adopting'
    this.effects.push({ kind: 'revoke', serial: ++this.#serial, partitions: givenUp })
  }

  heartbeatAnswered(serial: number, response: HeartbeatResponse, now: number): void {
    if (!this.#heartbeats.answered(serial)) return
    const { errorCode } = response
    if (errorCode === ErrorCode.NONE || errorCode === ErrorCode.REBALANCE_IN_PROGRESS) this.#heartbeats.contact(now)
    if (errorCode === ErrorCode.NONE) return
    if (errorCode === ErrorCode.REBALANCE_IN_PROGRESS) {
      if (this.#state === 'stable') this.#prepare('the group is rebalancing', now)
    } else if (isCoordinatorError(errorCode)) {
      this.effects.push({ kind: 'coordinator-lost' })
    } else if (this.#isHeartbeating && !errorFor(errorCode).retriable) {
      // After what may pass (COORDINATOR_LOAD_IN_PROGRESS) we are in the group as before: to join now would be to join with partitions that were not given up.
      this.#exchangeFailed(errorCode, 'Heartbeat', now)
    }
  }

  /** A request had no answer. */
  requestFailed(kind: 'join' | 'sync' | 'heartbeat' | 'describe-topics', serial: number, error: KafkaError, now: number): void {
    if (kind === 'heartbeat') {
      if (!this.#heartbeats.answered(serial)) return
    } else if (serial !== this.#serial) return
    if (error.fatal || !error.retriable) return this.fail(error)
    if (kind !== 'describe-topics') this.effects.push({ kind: 'coordinator-lost' })
    if (kind !== 'heartbeat') this.#joinLater(error.message, now)
  }

  /** A commit was refused because of the membership: the code tells how. */
  commitRefused(errorCode: number, now: number): void {
    if (!this.#isHeartbeating) return
    // Offsets are taken while the group prepares a rebalance, so what is refused then is refused for another reason.
    if (errorCode !== ErrorCode.REBALANCE_IN_PROGRESS) this.#exchangeFailed(errorCode, 'OffsetCommit', now)
    else if (this.#state === 'stable') this.#prepare('the group is rebalancing', now)
  }

  /** What metadata says of topics now; the leader starts a rebalance if that is news. */
  topicsSeen(layouts: ReadonlyMap<string, TopicLayout>, now: number): void {
    if (this.#state === 'stable' && this.#watch.changed(layouts)) this.#prepare('the partitions of a topic changed', now)
  }

  /** Leaves for good. A static member does not say so by default: it may be back before its session ends (KIP-345). */
  leave(reason: string, operation: LeaveOperation = 'default'): void {
    if (this.#state === 'left' || this.#state === 'failed') return
    this.#serial++
    this.#sayGoodbye(reason, operation)
    this.#owned = []
    this.#state = 'left'
  }

  get #isHeartbeating(): boolean {
    return HEARTBEATING.has(this.#state) && this.#memberId !== '' && this.#generationId >= 0
  }

  /** Gives up what must be given up, then joins. Under the cooperative protocol that is what is not subscribed to any more. */
  #prepare(reason: string, now: number): void {
    this.#reason = reason
    this.#serial++
    this.#givingUp = this.protocol === 'eager' ? this.#owned : this.#owned.filter(({ topic }) => !this.#topics.includes(topic))
    if (this.#givingUp.length > 0) {
      this.#state = 'preparing'
      this.#adopted = null
      this.effects.push({ kind: 'revoke', serial: this.#serial, partitions: this.#givingUp })
    } else if (this.#attempt > 0) this.#joinLater(reason, now)
    else this.#join()
  }

  #join(): void {
    this.#state = 'joining'
    this.#joinedTopics = this.#topics
    const request = joinRequest(this.#config, this.identity, this.#topics, this.#owned, this.#last, this.#reason)
    const timeoutMs = Math.max(this.#config.requestTimeoutMs, this.#config.maxPollIntervalMs + JOIN_TIMEOUT_LAPSE_MS)
    this.effects.push({ kind: 'join', serial: ++this.#serial, request, timeoutMs })
  }

  #joinLater(reason: string, now: number): void {
    this.#reason = reason
    this.#serial++
    this.#state = 'waiting'
    this.#waitUntil = now + this.#retryPolicy.delayMs(this.#attempt++, this.#random())
  }

  #lead(joined: JoinGroupResponse): void {
    this.#state = 'assigning'
    const { members, unreadable } = readMembers(joined)
    for (const one of unreadable) this.effects.push({ kind: 'member-ignored', ...one })
    const topics = [...new Set([...topicsOf(members), ...this.#topics])]
    this.effects.push({ kind: 'describe-topics', serial: ++this.#serial, topics })
  }

  #sync(assignment: Map<string, TopicPartition[]>): void {
    this.#state = 'syncing'
    const request = syncRequest(this.#config, this.identity, this.#joined!.protocolName!, assignment)
    const timeoutMs = Math.max(this.#config.requestTimeoutMs, this.#config.maxPollIntervalMs + JOIN_TIMEOUT_LAPSE_MS)
    this.effects.push({ kind: 'sync', serial: ++this.#serial, request, timeoutMs })
  }

  #take(assigned: readonly TopicPartition[]): void {
    const added = difference(assigned, this.#owned)
    this.#owned = assigned
    this.#state = 'stable'
    this.effects.push({ kind: 'assigned', partitions: added, generationId: this.#generationId })
  }

  /** The rules of Java's ConsumerCoordinator for each error of the exchange and of heartbeats. */
  #exchangeFailed(errorCode: number, request: string, now: number): void {
    switch (errorCode) {
      case ErrorCode.UNKNOWN_MEMBER_ID:
        return this.#loseMembership(request, errorCode, '', now)
      case ErrorCode.ILLEGAL_GENERATION:
        return this.#loseMembership(request, errorCode, this.#memberId, now)
      case ErrorCode.REBALANCE_IN_PROGRESS:
        return this.#prepare('the group is rebalancing again', now)
      case ErrorCode.COORDINATOR_NOT_AVAILABLE:
      case ErrorCode.NOT_COORDINATOR:
        this.effects.push({ kind: 'coordinator-lost' })
        return this.#joinLater(`${request}: the coordinator moved`, now)
      default: {
        const error = errorFor(errorCode)
        if (error.retriable) return this.#joinLater(`${request}: ${error.code}`, now)
        const message = `group ${this.#config.groupId}, ${request}: ${error.message}`
        return this.fail(new BrokerError(error.code, errorCode, message, false))
      }
    }
  }

  #loseMembership(request: string, errorCode: number, memberId: string, now: number): void {
    const reason = `${request}: ${errorFor(errorCode).code}`
    if (this.#owned.length > 0) this.#zombie('fenced', reason, this.#heartbeats.sinceContact(now))
    this.#memberId = memberId
    this.#generationId = -1
    this.#lose(reason)
    this.#joinLater(reason, now)
  }

  #lose(reason: string): void {
    this.#adopted = null
    this.#heartbeats.stop()
    this.#watch.stop()
    if (this.#owned.length > 0) this.effects.push({ kind: 'lost', reason })
    this.#owned = []
  }

  /** The application is stuck: others shall have its partitions. */
  #expire(now: number): void {
    const reason = `no record was asked for in maxPollIntervalMs, which is ${this.#config.maxPollIntervalMs}`
    this.#zombie('poll', reason, this.#heartbeats.sinceContact(now))
    this.#sayGoodbye(reason, 'default')
    this.#serial++
    this.#state = 'expired'
    this.#lose(reason)
  }

  #zombie(cause: ConsumerEvents['zombie']['cause'], reason: string, silentMs: number): void {
    this.effects.push({ kind: 'zombie', event: { cause, reason, silentMs } })
  }

  #sayGoodbye(reason: string, operation: LeaveOperation): void {
    const isSaid = operation === 'leave' || (operation === 'default' && this.#config.groupInstanceId === null)
    if (this.#memberId !== '' && isSaid) {
      this.effects.push({ kind: 'leave', request: leaveRequest(this.#config, this.#memberId, reason) })
    }
    this.#memberId = ''
    this.#generationId = -1
  }

  /** Nothing more can come of this membership. */
  fail(error: KafkaError): void {
    this.#serial++
    if (error.code === 'FENCED_INSTANCE_ID' && this.#generationId >= 0) this.#zombie('fenced', error.message, 0)
    this.#state = 'failed'
    this.#lose(error.message)
    this.effects.push({ kind: 'failed', error })
  }
}

function topicsOf(members: readonly GroupMember[]): string[] {
  return [...new Set(members.flatMap(({ topics }) => topics))].sort(compareStrings)
}
