import { BrokerError, ErrorCode, errorFor, KafkaError } from '@millrace/protocol'
import { RetryPolicy } from '@millrace/client/internal'
import type { ConsumerGroupHeartbeatResponse } from '@millrace/protocol/apis/consumer-group-heartbeat'
import type { ConsumerEvents } from '../events.ts'
import { difference, type TopicPartition } from '../topic-partition.ts'
import type { BackoffOptions } from './classic-states.ts'
import { ASSIGNABLE, HEARTBEATING, type ConsumerMemberEffect, type ConsumerMemberState } from './consumer-states.ts'
import { HeartbeatFields, type ConsumerMemberConfig } from './heartbeat-fields.ts'
import { Heartbeats } from './heartbeats.ts'
import type { LeaveOperation, MemberIdentity, TopicSelection } from './membership.ts'
import { TargetAssignment } from './target-assignment.ts'

const JOIN_EPOCH = 0
const LEAVE_EPOCH = -1
const STATIC_LEAVE_EPOCH = -2

/**
 * A member of a group under KIP-848, without I/O (Java: ConsumerMembershipManager and ConsumerHeartbeatRequestManager). The coordinator assigns; the member
 * gives up what it must, tells so, takes over what is free, tells so, and keeps everything else all the time. `effects` holds what it wants done.
 */
export class ConsumerMember {
  readonly effects: ConsumerMemberEffect[] = []
  readonly #config: ConsumerMemberConfig
  readonly #retryPolicy: RetryPolicy
  readonly #random: () => number
  readonly #nameOf: (topicId: string) => string | undefined
  readonly #heartbeats: Heartbeats
  readonly #fields: HeartbeatFields
  readonly #names = new Map<string, string>()
  #selection: TopicSelection
  #memberId: string
  #epoch = JOIN_EPOCH
  #state: ConsumerMemberState = 'unsubscribed'
  #owned: readonly TopicPartition[] = []
  /** What the coordinator wants, what we have, and what we are getting at. */
  #target = TargetAssignment.none
  #current = TargetAssignment.none
  #next: TargetAssignment | null = null
  /** `#next` is ours already, and the listener is told. */
  #isTakingOver = false
  #serial = 0
  #attempt = 0
  #notBefore = -Infinity
  #pollDeadline = Infinity
  /** A stale member's application is back, or its listener knows of the loss. */
  #isBack = false
  #isReleased = false
  /** Said once until it changes. */
  #isTopicRefused = false

  /**
   * @param memberId the client's choice, for as long as the process lives (KIP-1082)
   * @param nameOf the name of a topic as far as metadata knows it
   */
  constructor(
    config: ConsumerMemberConfig,
    memberId: string,
    selection: TopicSelection,
    nameOf: (topicId: string) => string | undefined,
    backoff: BackoffOptions,
    random: () => number,
  ) {
    this.#config = config
    this.#memberId = memberId
    this.#selection = selection
    this.#nameOf = nameOf
    this.#retryPolicy = new RetryPolicy(backoff.retryBackoffMs, backoff.retryBackoffMaxMs)
    this.#random = random
    this.#heartbeats = new Heartbeats(0, config.sessionTimeoutMs)
    this.#fields = new HeartbeatFields(config)
  }

  get state(): ConsumerMemberState {
    return this.#state
  }

  get identity(): MemberIdentity {
    return this.#epoch > 0 ? { memberId: this.#memberId, generationId: this.#epoch } : { memberId: '', generationId: -1 }
  }

  get owned(): readonly TopicPartition[] {
    return this.#owned
  }

  /** Whether the partition of this very topic is owned: another topic may have had its name. */
  owns(topicId: string, partition: number): boolean {
    const { topics } = this.#isTakingOver ? this.#next! : this.#current
    return topics.some((one) => one.topicId === topicId && one.partitions.includes(partition))
  }

  /** Ids of assigned topics whose names are not known. */
  get unresolved(): string[] {
    return this.#target.topics.flatMap(({ topicId }) => (this.#names.has(topicId) ? [] : [topicId]))
  }

  /** When `tick` is next due. */
  get deadline(): number {
    if (!HEARTBEATING.has(this.#state)) return Infinity
    // Whoever is about to leave need not make progress any more.
    return this.#state === 'prepareLeaving' ? this.#heartbeats.deadline : Math.min(this.#heartbeats.deadline, this.#pollDeadline)
  }

  start(now: number): void {
    if (this.#state === 'unsubscribed') this.#rejoin(now)
  }

  tick(now: number): void {
    if (!HEARTBEATING.has(this.#state)) return
    if (now >= this.#pollDeadline && this.#state !== 'prepareLeaving') return this.#expire(now)
    const silentMs = this.#heartbeats.silence(now)
    if (silentMs !== null) {
      this.effects.push({ kind: 'coordinator-lost' })
      this.#zombie('session', `the coordinator of group ${this.#config.groupId} did not answer`, silentMs)
    }
    if (this.#heartbeats.isDue(now)) this.#heartbeat(now)
  }

  subscribe(selection: TopicSelection, now: number): void {
    this.#selection = selection
    this.#hurry(now)
  }

  /** Until when the application must make progress; `Infinity` while it waits for us. One that had stopped is back. */
  setPollDeadline(deadline: number, now: number): void {
    this.#pollDeadline = deadline
    if (this.#state !== 'stale' || deadline <= now) return
    this.#isBack = true
    if (this.#isReleased) this.#rejoin(now)
  }

  heartbeatAnswered(serial: number, response: ConsumerGroupHeartbeatResponse, now: number): void {
    if (!this.#heartbeats.answered(serial)) return
    if (response.errorCode !== ErrorCode.NONE) return this.#refusedHeartbeat(response, now)
    this.#attempt = 0
    this.#isTopicRefused = false
    this.#heartbeats.contact(now)
    if (this.#heartbeats.intervalMs !== response.heartbeatIntervalMs) {
      this.#heartbeats.intervalMs = response.heartbeatIntervalMs
      this.#heartbeats.schedule(now)
    }
    this.#memberId = response.memberId ?? this.#memberId
    this.#epoch = response.memberEpoch
    if (response.assignment !== null && ASSIGNABLE.has(this.#state)) {
      this.#target = this.#target.followedBy(response.assignment.topicPartitions)
      if (!this.#current.equals(this.#target)) this.#state = 'reconciling'
      else if (this.#state !== 'acknowledging') this.#state = 'stable'
    }
    if (this.#state === 'reconciling') this.#reconcile(now)
    if (this.#state === 'acknowledging' || this.#state === 'joining') this.#hurry(now)
  }

  /** How long the coordinator waits for a member: until it is known, the default is believed. */
  sessionLearned(sessionTimeoutMs: number): void {
    this.#heartbeats.setSessionTimeout(sessionTimeoutMs)
  }

  /** A heartbeat had no answer. */
  heartbeatFailed(serial: number, error: KafkaError, now: number): void {
    if (!this.#heartbeats.answered(serial)) return
    if (error.code === 'UNSUPPORTED_VERSION') return this.fail(this.#tooOld(error))
    if (error.fatal || !error.retriable) return this.fail(error)
    this.effects.push({ kind: 'coordinator-lost' })
    this.#backOff(now)
  }

  /** What a `revoke` effect asked for is done. */
  revoked(serial: number): void {
    if (serial !== this.#serial || this.#next === null) return
    this.#owned = difference(this.#owned, difference(this.#owned, this.#next.partitionsBy(this.#names)))
    this.#takeOver()
  }

  /** What an `assign` effect asked for is done. */
  assigned(serial: number, now: number): void {
    if (serial !== this.#serial || this.#next === null) return
    this.#current = this.#next
    this.#endReconciliation()
    this.#acknowledge(now)
  }

  /** What a `lose` effect asked for is done. */
  released(serial: number, now: number): void {
    if (serial !== this.#serial) return
    this.#isReleased = true
    if (this.#state === 'fenced' || (this.#state === 'stale' && this.#isBack)) this.#rejoin(now)
  }

  /** Metadata knows of other topics now. */
  namesChanged(now: number): void {
    if (this.#state === 'reconciling') this.#reconcile(now)
  }

  /** A request with this identity was refused because of the membership. */
  refused(errorCode: number, now: number): 'retry' | 'final' {
    if (!HEARTBEATING.has(this.#state)) return 'final'
    // The next heartbeat brings the newer epoch, or tells that there is none.
    this.#hurry(now)
    return errorCode === ErrorCode.STALE_MEMBER_EPOCH && this.#epoch > 0 ? 'retry' : 'final'
  }

  /** The listener is told that the member leaves: heartbeats go on, nothing new is taken over. */
  prepareLeave(): void {
    if (!HEARTBEATING.has(this.#state)) return
    this.#serial++
    // The listener may be using it already: until it is told, the coordinator must not hear that it is free.
    if (this.#isTakingOver) this.#current = this.#next!
    this.#endReconciliation()
    this.#state = 'prepareLeaving'
  }

  /** Leaves for good. A static member says by default that it may be back. */
  leave(operation: LeaveOperation): void {
    const isIn = HEARTBEATING.has(this.#state)
    this.#serial++
    this.#heartbeats.stop()
    if (this.#state !== 'fatal') this.#state = 'leaving'
    if (isIn) this.#sayGoodbye(operation)
    this.#forget()
  }

  /** Nothing more can come of this membership. */
  fail(error: KafkaError): void {
    this.#state = 'fatal'
    this.#loseAll(error.message)
    this.effects.push({ kind: 'failed', error })
  }

  // ---- heartbeats ----

  #heartbeat(now: number): void {
    const epoch = this.#state === 'joining' ? JOIN_EPOCH : this.#epoch
    // What is being taken over counts: the coordinator must not believe that it is free (Java reports it when the listener is done).
    const reported = this.#isTakingOver ? this.#next! : this.#current
    const request = this.#fields.next(this.#memberId, epoch, this.#selection, reported)
    this.effects.push({ kind: 'heartbeat', serial: this.#heartbeats.send(now), request })
    if (this.#state === 'acknowledging') this.#state = this.#current.equals(this.#target) ? 'stable' : 'reconciling'
  }

  /** A heartbeat as soon as the one on its way and a backoff allow. */
  #hurry(now: number): void {
    if (HEARTBEATING.has(this.#state)) this.#heartbeats.hurry(Math.max(now, this.#notBefore))
  }

  #backOff(now: number): void {
    this.#fields.forget()
    this.#notBefore = now + this.#retryPolicy.delayMs(this.#attempt++, this.#random())
    this.#heartbeats.postpone(this.#notBefore)
  }

  #refusedHeartbeat({ errorCode, errorMessage }: ConsumerGroupHeartbeatResponse, now: number): void {
    const { code, retriable } = errorFor(errorCode)
    const message = `group ${this.#config.groupId}, ConsumerGroupHeartbeat: ${errorMessage ?? errorFor(errorCode).message}`
    switch (errorCode) {
      case ErrorCode.FENCED_MEMBER_EPOCH:
      case ErrorCode.UNKNOWN_MEMBER_ID:
        return this.#fence(`ConsumerGroupHeartbeat: ${code}`, now)
      case ErrorCode.GROUP_ID_NOT_FOUND:
        // The group went on without us and is a classic one again, or is gone (Java's member ends by that). Who joins is told so because it may not.
        if (this.#epoch > 0) return this.#fence(`ConsumerGroupHeartbeat: ${code}`, now)
        return this.fail(new BrokerError(code, errorCode, message, false))
      case ErrorCode.NOT_COORDINATOR:
      case ErrorCode.COORDINATOR_NOT_AVAILABLE:
        this.effects.push({ kind: 'coordinator-lost' })
        return this.#backOff(now)
      case ErrorCode.TOPIC_AUTHORIZATION_FAILED:
        // Access may be given later; until then the member keeps what it has.
        if (!this.#isTopicRefused)
          this.effects.push({ kind: 'topics-refused', error: new BrokerError(code, errorCode, message, false) })
        this.#isTopicRefused = true
        return this.#backOff(now)
      case ErrorCode.UNSUPPORTED_VERSION:
        return this.fail(this.#tooOld(new BrokerError(code, errorCode, message, false)))
      case ErrorCode.FENCED_INSTANCE_ID:
        this.#zombie('fenced', message, this.#heartbeats.sinceContact(now))
        return this.fail(new BrokerError(code, errorCode, message, false))
      default:
        return retriable ? this.#backOff(now) : this.fail(new BrokerError(code, errorCode, message, false))
    }
  }

  #tooOld(cause: KafkaError): KafkaError {
    const text = `group ${this.#config.groupId}: the broker does not serve the consumer group protocol (KIP-848), or not all that is asked of it; use groupProtocol 'classic'`
    return new KafkaError('UNSUPPORTED_VERSION', `${text}: ${cause.message}`, { cause })
  }

  // ---- reconciliation ----

  /**
   * Never while a heartbeat is on its way: what that does not report may be given to another member by the time it is answered. Nor when it failed, before
   * another one is answered. For the same reason nothing is taken over in one step with giving up.
   */
  #reconcile(now: number): void {
    if (this.#next !== null || this.#heartbeats.isPending || !this.#fields.areHeard) return
    this.#learnNames()
    if (this.unresolved.length > 0) this.effects.push({ kind: 'resolve-topics' })
    const resolved = this.#target.resolvedBy(this.#names)
    if (!this.#current.isNone && resolved.hasSamePartitions(this.#current)) {
      // Nothing to do but to say so; or, when that was said, to wait for names.
      if (this.#current.serial === resolved.serial) return
      this.#current = resolved
      return this.#acknowledge(now)
    }
    this.#serial++
    const revoked = difference(this.#owned, resolved.partitionsBy(this.#names))
    this.#next = revoked.length > 0 ? resolved.among(this.#owned, this.#names) : resolved
    if (revoked.length > 0) this.effects.push({ kind: 'revoke', serial: this.#serial, partitions: revoked })
    else this.#takeOver()
  }

  /** What is owned stays named, whatever becomes of the topic in metadata. */
  #learnNames(): void {
    for (const { topicId } of this.#target.topics) {
      const name = this.#nameOf(topicId)
      if (name !== undefined) this.#names.set(topicId, name)
    }
  }

  #takeOver(): void {
    this.#isTakingOver = true
    const partitions = difference(this.#next!.partitionsBy(this.#names), this.#owned)
    this.#owned = [...this.#owned, ...partitions]
    this.effects.push({ kind: 'assign', serial: this.#serial, partitions, epoch: this.#epoch })
  }

  #endReconciliation(): void {
    this.#next = null
    this.#isTakingOver = false
  }

  #acknowledge(now: number): void {
    this.#state = 'acknowledging'
    this.#hurry(now)
  }

  // ---- out of the group ----

  #rejoin(now: number): void {
    this.#forget()
    this.#state = 'joining'
    this.#heartbeats.contact(now)
    this.#hurry(now)
  }

  #forget(): void {
    this.#epoch = JOIN_EPOCH
    this.#target = TargetAssignment.none
    this.#current = TargetAssignment.none
    this.#endReconciliation()
    this.#owned = []
    this.#isBack = false
    this.#isReleased = false
    this.#fields.forget()
  }

  #fence(reason: string, now: number): void {
    if (this.#state === 'prepareLeaving') {
      this.#state = 'unsubscribed'
      return this.#loseAll(reason)
    }
    if (this.#owned.length > 0) this.#zombie('fenced', reason, this.#heartbeats.sinceContact(now))
    this.#state = 'fenced'
    this.#notBefore = now + this.#retryPolicy.delayMs(this.#attempt++, this.#random())
    this.#loseAll(reason)
  }

  /** The application is stuck: others shall have its partitions. */
  #expire(now: number): void {
    const reason = `no record was asked for in maxPollIntervalMs, which is ${this.#config.maxPollIntervalMs}`
    this.#zombie('poll', reason, this.#heartbeats.sinceContact(now))
    this.#sayGoodbye('default')
    this.#state = 'stale'
    this.#loseAll(reason)
  }

  #loseAll(reason: string): void {
    this.#heartbeats.stop()
    this.#forget()
    this.effects.push({ kind: 'lose', serial: ++this.#serial, reason })
  }

  #sayGoodbye(operation: LeaveOperation): void {
    const isStatic = this.#config.groupInstanceId !== null
    // A dynamic member that is to remain just stops; its session ends by itself.
    if (operation === 'remain' && !isStatic) return
    const epoch = isStatic && operation !== 'leave' ? STATIC_LEAVE_EPOCH : LEAVE_EPOCH
    this.effects.push({ kind: 'leave', request: this.#fields.leave(this.#memberId, epoch) })
  }

  #zombie(cause: ConsumerEvents['zombie']['cause'], reason: string, silentMs: number): void {
    this.effects.push({ kind: 'zombie', event: { cause, reason, silentMs } })
  }
}
