import { ErrorCode } from '@millrace/protocol'
import type { ClusterClient } from '@millrace/client/internal'
import { consumerGroupHeartbeatApi, type ConsumerGroupHeartbeatRequest } from '@millrace/protocol/apis/consumer-group-heartbeat'
import { asKafkaError } from '@millrace/protocol/internal'
import type { EventSource } from '../events.ts'
import { LEAVE_TIMEOUT_MS } from '../limits.ts'
import type { ConsumerMember } from './consumer-member.ts'
import type { ConsumerMemberEffect, ConsumerMemberState } from './consumer-states.ts'
import { CoordinatorLink, type GroupObserver } from './coordinator-link.ts'
import { releaseInTime, type Handover } from './handover.ts'
import type {
  LeaveOperation,
  MemberIdentity,
  Membership,
  MembershipStatus,
  PartitionOwner,
  TopicSelection,
} from './membership.ts'
import { sessionLength } from './session-length.ts'
import { SubscribedTopics } from './subscribed-topics.ts'
import { TopicNames } from './topic-names.ts'

const GROUP_ROLE = 'coordinator'

const STATUS: Readonly<Record<ConsumerMemberState, MembershipStatus>> = {
  unsubscribed: 'idle',
  joining: 'joining',
  // It keeps, and may commit, what does not move.
  reconciling: 'stable',
  acknowledging: 'stable',
  stable: 'stable',
  fenced: 'joining',
  prepareLeaving: 'left',
  leaving: 'left',
  stale: 'expired',
  fatal: 'failed',
}

export interface ConsumerMembershipParts {
  readonly groupId: string
  readonly selection: TopicSelection
  readonly member: ConsumerMember
  readonly cluster: ClusterClient
  readonly owner: PartitionOwner
  readonly handover: Handover
  readonly events: EventSource
  readonly observer: GroupObserver
}

/** Carries out what a `ConsumerMember` wants: its heartbeats, and the calls to the consumer. */
export class ConsumerMembership implements Membership {
  readonly #groupId: string
  readonly #member: ConsumerMember
  readonly #cluster: ClusterClient
  readonly #owner: PartitionOwner
  readonly #handover: Handover
  readonly #events: EventSource
  readonly #link: CoordinatorLink
  readonly #names: TopicNames
  readonly #endWatch: () => void
  #selection: TopicSelection
  /** Looks for topics that are subscribed to by name, so that their ids are known; null for a pattern, which the coordinator matches. */
  #topics: SubscribedTopics | null = null
  /** The interval that the last answer named; another one means that the group's configuration is another. */
  #heartbeatIntervalMs = 0
  /** The leave that is on its way, for `leave` to wait for. */
  #leaving: Promise<void> = Promise.resolve()

  constructor(parts: ConsumerMembershipParts) {
    this.#groupId = parts.groupId
    this.#member = parts.member
    this.#cluster = parts.cluster
    this.#owner = parts.owner
    this.#handover = parts.handover
    this.#events = parts.events
    this.#selection = parts.selection
    this.#link = new CoordinatorLink(parts.groupId, parts.cluster, parts.observer)
    this.#names = new TopicNames(parts.cluster)
    this.#endWatch = parts.cluster.onMetadata(() => {
      this.#topics?.look()
      this.#namesChanged()
    })
  }

  get status(): MembershipStatus {
    return STATUS[this.#member.state]
  }

  get identity(): MemberIdentity {
    return this.#member.identity
  }

  get topics(): readonly string[] {
    if ('topics' in this.#selection) return this.#selection.topics
    return [...new Set(this.#member.owned.map(({ topic }) => topic))]
  }

  get deadline(): number {
    return this.#member.deadline
  }

  mayRead(topicId: string, partition: number): boolean {
    return this.#member.owns(topicId, partition)
  }

  start(now: number): void {
    if (this.#member.state !== 'unsubscribed') return
    this.#lookForTopics()
    this.#member.start(now)
    this.run(now)
  }

  run(now: number): void {
    this.#member.tick(now)
    this.#perform()
  }

  subscribe(selection: TopicSelection, now: number): void {
    const wasStarted = this.#member.state !== 'unsubscribed'
    this.#selection = selection
    this.#topics?.stop()
    this.#topics = null
    if (wasStarted) this.#lookForTopics()
    this.#member.subscribe(selection, now)
    this.run(now)
  }

  setPollDeadline(deadline: number, now: number): void {
    this.#member.setPollDeadline(deadline, now)
    this.#perform()
  }

  refused(errorCode: number, used: MemberIdentity, now: number): 'retry' | 'final' {
    const { memberId, generationId } = this.#member.identity
    const isOld = memberId !== '' && used.memberId === memberId && used.generationId < generationId
    const verdict = this.#member.refused(errorCode, now)
    this.run(now)
    return isOld ? 'retry' : verdict
  }

  async leave(reason: string, operation: LeaveOperation = 'default'): Promise<void> {
    void reason
    this.#over()
    this.#member.prepareLeave()
    await releaseInTime(this.#handover, this.#cluster.environment.clock)
    this.#member.leave(operation)
    this.#perform()
    await this.#leaving
  }

  #over(): void {
    this.#topics?.stop()
    this.#names.stop()
    this.#endWatch()
  }

  #lookForTopics(): void {
    if (!('topics' in this.#selection)) return
    this.#topics = new SubscribedTopics(this.#cluster, this.#selection, {
      topicsChanged: noop,
      topicRefused: (topic, error) => this.#events.emit('topicRefused', { topic, error }),
    })
    this.#topics.start()
  }

  #namesChanged(): void {
    this.#member.namesChanged(this.#now())
    this.#changed()
  }

  #changed(): void {
    this.run(this.#now())
    this.#owner.changed()
  }

  #perform(): void {
    for (let effects = this.#member.effects.splice(0); effects.length > 0; effects = this.#member.effects.splice(0)) {
      for (const effect of effects) this.#carryOut(effect)
    }
  }

  #carryOut(effect: ConsumerMemberEffect): void {
    const member = this.#member
    const then = (action: (serial: number, now: number) => void) => (): void => {
      if ('serial' in effect) action(effect.serial, this.#now())
      this.#changed()
    }
    switch (effect.kind) {
      case 'heartbeat':
        return this.#heartbeat(effect.serial, effect.request)
      case 'leave':
        this.#leaving = this.#link
          .request(consumerGroupHeartbeatApi, effect.request, LEAVE_TIMEOUT_MS, GROUP_ROLE)
          .then(noop, noop)
        return
      case 'resolve-topics':
        return this.#names.resolve(
          () => member.unresolved,
          () => this.#namesChanged(),
        )
      case 'revoke':
        return this.#handover.revoke(
          effect.partitions,
          then((serial) => member.revoked(serial)),
        )
      case 'assign':
        return this.#handover.assign(
          effect.partitions,
          effect.epoch,
          then((serial, now) => member.assigned(serial, now)),
        )
      case 'lose':
        return this.#handover.lose(
          effect.reason,
          then((serial, now) => member.released(serial, now)),
        )
      case 'coordinator-lost':
        return this.#link.lost()
      case 'topics-refused':
        return this.#events.emit('topicRefused', { topic: null, error: effect.error })
      case 'zombie':
        return this.#events.emit('zombie', effect.event)
      case 'failed':
        this.#over()
        return this.#owner.failed(effect.error)
    }
  }

  #heartbeat(serial: number, request: ConsumerGroupHeartbeatRequest): void {
    this.#link.request(consumerGroupHeartbeatApi, request, undefined, GROUP_ROLE).then(
      (response) => {
        this.#member.heartbeatAnswered(serial, response, this.#now())
        this.#changed()
        if (response.errorCode === ErrorCode.NONE) this.#learnSession(response.heartbeatIntervalMs)
      },
      (error: unknown) => {
        this.#member.heartbeatFailed(serial, asKafkaError(error), this.#now())
        this.#changed()
      },
    )
  }

  /** Only the event of a zombie depends on it: nothing waits for it, and when it cannot be had, the default is believed. */
  #learnSession(heartbeatIntervalMs: number): void {
    if (heartbeatIntervalMs === this.#heartbeatIntervalMs) return
    this.#heartbeatIntervalMs = heartbeatIntervalMs
    void sessionLength(this.#cluster, this.#groupId).then((sessionTimeoutMs) => {
      if (sessionTimeoutMs === null) return
      this.#member.sessionLearned(sessionTimeoutMs)
      this.#changed()
    })
  }

  #now(): number {
    return this.#cluster.environment.clock.now()
  }
}

function noop(): void {}
