import { BrokerError, ErrorCode, errorFor, type KafkaError } from '@millrace/protocol'
import { RetryPolicy } from '@millrace/client/internal'
import type { HeartbeatResponse } from '@millrace/protocol/apis/heartbeat'
import type { JoinGroupResponse } from '@millrace/protocol/apis/join-group'
import type { SyncGroupResponse } from '@millrace/protocol/apis/sync-group'
import type { Assignor, RebalanceProtocol } from '../assignors/assignor.ts'
import { JOIN_TIMEOUT_LAPSE_MS } from '../limits.ts'
import { difference, type TopicPartition } from '../topic-partition.ts'
import { decodeAssignment, groupMemberOf } from './consumer-protocol.ts'
import type { MemberEffect } from './member-effects.ts'
import type { MemberIdentity } from './membership.ts'
import { heartbeatRequest, joinRequest, leaveRequest, PROTOCOL_TYPE, syncRequest, type MemberConfig } from './member-requests.ts'
import { PartitionWatch } from './partition-watch.ts'

/**
 * `idle`: not started. `preparing`: gives up its partitions before it joins. `waiting`: joins after a backoff.
 * `joining`, `assigning` (the leader), `syncing`: in the exchange. `adopting`: gives up what went to others.
 * `stable`. `expired`: left, because the application made no progress. `left`, `failed`: over.
 */
export type MemberState =
  | 'idle'
  | 'preparing'
  | 'waiting'
  | 'joining'
  | 'assigning'
  | 'syncing'
  | 'adopting'
  | 'stable'
  | 'expired'
  | 'left'
  | 'failed'

interface BackoffOptions {
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
}

const HEARTBEATING: ReadonlySet<MemberState> = new Set(['preparing', 'waiting', 'assigning', 'syncing', 'adopting', 'stable'])

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
  #joined: JoinGroupResponse | null = null
  #serial = 0
  #attempt = 0
  #waitUntil = Infinity
  #reason = ''
  #heartbeatSerial = 0
  #heartbeatPending = false
  #nextHeartbeat = Infinity
  #lastContact = 0
  #pollDeadline = Infinity

  constructor(config: MemberConfig, topics: readonly string[], backoff: BackoffOptions, random: () => number) {
    this.#config = config
    this.#topics = topics
    this.#retryPolicy = new RetryPolicy(backoff.retryBackoffMs, backoff.retryBackoffMaxMs)
    this.#random = random
    const cooperative = config.assignors.every((assignor) => assignor.protocols.includes('cooperative'))
    this.protocol = cooperative ? 'cooperative' : 'eager'
  }

  get state(): MemberState {
    return this.#state
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
    if (!this.#isHeartbeating) return deadline
    if (!this.#heartbeatPending) deadline = Math.min(deadline, this.#nextHeartbeat)
    return Math.min(deadline, this.#pollDeadline, this.#lastContact + this.#config.sessionTimeoutMs)
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
    if (now >= this.#pollDeadline) return this.#expire()
    if (now >= this.#lastContact + this.#config.sessionTimeoutMs) {
      // The session is over for all we know; its coordinator will tell, if it is still the coordinator.
      this.effects.push({ kind: 'coordinator-lost' })
      this.#lastContact = now
    }
    if (now >= this.#nextHeartbeat && !this.#heartbeatPending) this.#heartbeat(now)
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
      this.#owned = []
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
    this.#lastContact = now
    this.#nextHeartbeat = now + this.#config.heartbeatIntervalMs
    // A leader that is told to skip the assignment only watches over it (KIP-814).
    if (response.leader !== response.memberId) this.#watch.stop()
    if (response.leader === response.memberId) this.#lead(response)
    else this.#sync(new Map())
  }

  /** The answer to `count-partitions`; a topic that does not exist is left out. */
  topicsCounted(serial: number, counts: ReadonlyMap<string, number>, now: number): void {
    if (serial !== this.#serial || this.#state !== 'assigning') return
    const joined = this.#joined!
    this.#watch.start(counts)
    if (joined.skipAssignment) return this.#sync(new Map())
    const assignor = this.#assignor(joined.protocolName)
    if (assignor === null) return this.#exchangeFailed(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, 'JoinGroup', now)
    this.#sync(assignor.assign(counts, membersOf(joined)))
  }

  syncAnswered(serial: number, response: SyncGroupResponse, now: number): void {
    if (serial !== this.#serial || this.#state !== 'syncing') return
    if (response.errorCode !== ErrorCode.NONE) return this.#exchangeFailed(response.errorCode, 'SyncGroup', now)
    const assigned = decodeAssignment(response.assignment)
    const stranger = assigned.find(({ topic }) => !this.#topics.includes(topic))
    if (stranger !== undefined) return this.#joinLater(`assigned ${stranger.topic}, which is not subscribed`, now)
    this.#attempt = 0
    this.#lastContact = now
    const givenUp = difference(this.#owned, assigned)
    if (givenUp.length === 0) return this.#take(assigned)
    this.#adopted = assigned
    this.#state = 'adopting'
    this.effects.push({ kind: 'revoke', serial: ++this.#serial, partitions: givenUp })
  }

  heartbeatAnswered(serial: number, response: HeartbeatResponse, now: number): void {
    if (serial !== this.#heartbeatSerial) return
    this.#heartbeatPending = false
    const { errorCode } = response
    if (errorCode === ErrorCode.NONE) {
      this.#lastContact = now
    } else if (errorCode === ErrorCode.REBALANCE_IN_PROGRESS) {
      this.#lastContact = now
      if (this.#state === 'stable') this.#prepare('the group is rebalancing', now)
    } else if (isCoordinatorError(errorCode)) {
      this.effects.push({ kind: 'coordinator-lost' })
    } else if (this.#isHeartbeating) {
      this.#exchangeFailed(errorCode, 'Heartbeat', now)
    }
  }

  /** A request had no answer. */
  requestFailed(kind: 'join' | 'sync' | 'heartbeat' | 'count-partitions', serial: number, error: KafkaError, now: number): void {
    if (kind === 'heartbeat') {
      if (serial !== this.#heartbeatSerial) return
      this.#heartbeatPending = false
    } else if (serial !== this.#serial) return
    if (error.fatal || !error.retriable) return this.fail(error)
    if (kind !== 'count-partitions') this.effects.push({ kind: 'coordinator-lost' })
    if (kind !== 'heartbeat') this.#joinLater(error.message, now)
  }

  /** A commit was refused because of the membership: the code tells how. */
  commitRefused(errorCode: number, now: number): void {
    if (this.#state !== 'stable') return
    if (errorCode === ErrorCode.REBALANCE_IN_PROGRESS) this.#prepare('the group is rebalancing', now)
    else this.#exchangeFailed(errorCode, 'OffsetCommit', now)
  }

  /** Metadata says how many partitions topics have now; the leader starts a rebalance if that is news. */
  partitionsCounted(counts: ReadonlyMap<string, number>, now: number): void {
    if (this.#state === 'stable' && this.#watch.changed(counts)) this.#prepare('the partitions of a topic changed', now)
  }

  /** Leaves for good. A static member does not say so: it may be back before its session ends (KIP-345). */
  leave(reason: string): void {
    if (this.#state === 'left' || this.#state === 'failed') return
    this.#serial++
    this.#sayGoodbye(reason)
    this.#owned = []
    this.#state = 'left'
  }

  get #isHeartbeating(): boolean {
    return HEARTBEATING.has(this.#state) && this.#memberId !== '' && this.#generationId >= 0
  }

  /** Gives up what must be given up, then joins. Under the cooperative protocol that is nothing. */
  #prepare(reason: string, now: number): void {
    this.#reason = reason
    this.#serial++
    if (this.protocol === 'eager' && this.#owned.length > 0) {
      this.#state = 'preparing'
      this.#adopted = null
      this.effects.push({ kind: 'revoke', serial: this.#serial, partitions: this.#owned })
      return
    }
    if (this.#attempt > 0) this.#joinLater(reason, now)
    else this.#join()
  }

  #join(): void {
    this.#state = 'joining'
    const request = joinRequest(this.#config, this.identity, this.#topics, this.#owned, this.#reason)
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
    const topics = new Set(membersOf(joined).flatMap((member) => member.topics))
    this.effects.push({ kind: 'count-partitions', serial: ++this.#serial, topics: [...topics] })
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

  #heartbeat(now: number): void {
    this.#heartbeatPending = true
    this.#nextHeartbeat = now + this.#config.heartbeatIntervalMs
    this.effects.push({
      kind: 'heartbeat',
      serial: ++this.#heartbeatSerial,
      request: heartbeatRequest(this.#config, this.identity),
    })
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
    this.#memberId = memberId
    this.#generationId = -1
    this.#lose(reason)
    this.#joinLater(reason, now)
  }

  #lose(reason: string): void {
    this.#adopted = null
    this.#heartbeatPending = false
    this.#heartbeatSerial++
    this.#watch.stop()
    if (this.#owned.length > 0) this.effects.push({ kind: 'lost', reason })
    this.#owned = []
  }

  /** The application is stuck: others shall have its partitions. */
  #expire(): void {
    const reason = `no record was asked for in maxPollIntervalMs, which is ${this.#config.maxPollIntervalMs}`
    this.#sayGoodbye(reason)
    this.#serial++
    this.#state = 'expired'
    this.#lose(reason)
  }

  #sayGoodbye(reason: string): void {
    if (this.#memberId !== '' && this.#config.groupInstanceId === null) {
      this.effects.push({ kind: 'leave', request: leaveRequest(this.#config, this.#memberId, reason) })
    }
    this.#memberId = ''
    this.#generationId = -1
  }

  /** Nothing more can come of this membership. */
  fail(error: KafkaError): void {
    this.#serial++
    this.#state = 'failed'
    this.#lose(error.message)
    this.effects.push({ kind: 'failed', error })
  }

  #assignor(name: string | null): Assignor | null {
    return this.#config.assignors.find((assignor) => assignor.name === name) ?? null
  }
}

function isCoordinatorError(errorCode: number): boolean {
  return errorCode === ErrorCode.COORDINATOR_NOT_AVAILABLE || errorCode === ErrorCode.NOT_COORDINATOR
}

function membersOf(joined: JoinGroupResponse): ReturnType<typeof groupMemberOf>[] {
  return joined.members.map(({ memberId, groupInstanceId, metadata }) => groupMemberOf(memberId, groupInstanceId, metadata))
}
