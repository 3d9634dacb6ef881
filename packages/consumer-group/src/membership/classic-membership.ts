import type { Api } from '@millrace/protocol'
import type { ClusterClient } from '@millrace/client/internal'
import { heartbeatApi } from '@millrace/protocol/apis/heartbeat'
import { joinGroupApi } from '@millrace/protocol/apis/join-group'
import { leaveGroupApi } from '@millrace/protocol/apis/leave-group'
import { syncGroupApi } from '@millrace/protocol/apis/sync-group'
import { asKafkaError } from '@millrace/protocol/internal'
import type { EventSource } from '../events.ts'
import { LEAVE_TIMEOUT_MS } from '../limits.ts'
import type { ClassicMember } from './classic-member.ts'
import type { MemberState } from './classic-states.ts'
import { CoordinatorLink, type GroupObserver } from './coordinator-link.ts'
import { inTime, releaseInTime, type Handover } from './handover.ts'
import type { MemberEffect } from './member-effects.ts'
import type {
  LeaveOperation,
  MemberIdentity,
  Membership,
  MembershipStatus,
  PartitionOwner,
  TopicSelection,
} from './membership.ts'
import { SubscribedTopics } from './subscribed-topics.ts'

const GROUP_ROLE = 'coordinator'
const LEAVE_ROLE = 'leave'

/** What a member that leaves has no part in any more (its SyncGroup is still due, as others wait for that). */
const OF_A_REBALANCE: ReadonlySet<MemberEffect['kind']> = new Set(['join', 'revoke', 'assigned', 'lost'])

const STATUS: Readonly<Record<MemberState, MembershipStatus>> = {
  idle: 'idle',
  preparing: 'joining',
  waiting: 'joining',
  joining: 'joining',
  assigning: 'joining',
  syncing: 'joining',
  adopting: 'joining',
  stable: 'stable',
  expired: 'expired',
  left: 'left',
  failed: 'failed',
}

export interface ClassicMembershipParts {
  readonly groupId: string
  readonly selection: TopicSelection
  /** Makes the member, once it is known what topics there are. */
  readonly member: (topics: readonly string[]) => ClassicMember
  readonly cluster: ClusterClient
  readonly owner: PartitionOwner
  readonly handover: Handover
  readonly events: EventSource
  readonly observer: GroupObserver
}

/** Carries out what a `ClassicMember` wants: its requests to the coordinator, and the calls to the consumer. */
export class ClassicMembership implements Membership {
  readonly #member: ClassicMember
  readonly #cluster: ClusterClient
  readonly #owner: PartitionOwner
  readonly #handover: Handover
  readonly #events: EventSource
  readonly #link: CoordinatorLink
  readonly #topics: SubscribedTopics
  /** The leave that is on its way, for `leave` to wait for. */
  #leaving: Promise<void> = Promise.resolve()
  #isLeaving = false
  /** The JoinGroup that is on its way. */
  #joining: Promise<void> = Promise.resolve()
  /** Whether a JoinGroup or SyncGroup holds up the connection until the group is complete. */
  #exchanges = 0
  readonly #endWatch: () => void

  constructor(parts: ClassicMembershipParts) {
    this.#cluster = parts.cluster
    this.#owner = parts.owner
    this.#handover = parts.handover
    this.#events = parts.events
    this.#link = new CoordinatorLink(parts.groupId, parts.cluster, parts.observer)
    this.#topics = new SubscribedTopics(parts.cluster, parts.selection, {
      topicsChanged: () => this.#topicsChanged(),
      topicRefused: (topic, error) => parts.events.emit('topicRefused', { topic, error }),
    })
    this.#member = parts.member(this.#topics.names)
    this.#endWatch = parts.cluster.onMetadata(() => this.#metadataChanged())
  }

  get status(): MembershipStatus {
    return STATUS[this.#member.state]
  }

  get identity(): MemberIdentity {
    return this.#member.identity
  }

  get topics(): readonly string[] {
    return this.#topics.names
  }

  get deadline(): number {
    return this.#member.deadline
  }

  /** A classic group assigns by names. */
  mayRead(): boolean {
    return true
  }

  start(now: number): void {
    if (this.#member.state !== 'idle') return
    this.#topics.start()
    this.#member.start(now)
  }

  run(now: number): void {
    this.#member.tick(now)
    this.#perform()
  }

  subscribe(selection: TopicSelection, now: number): void {
    this.#topics.select(selection)
    this.#member.subscribe(this.#topics.names, now)
    this.#perform()
  }

  setPollDeadline(deadline: number, now: number): void {
    this.#member.setPollDeadline(deadline, now)
    this.#perform()
  }

  refused(errorCode: number, used: MemberIdentity, now: number): 'retry' | 'final' {
    const { memberId, generationId } = this.#member.identity
    if (used.memberId === memberId && used.generationId === generationId) this.#member.commitRefused(errorCode, now)
    this.#perform()
    return 'final'
  }

  async leave(reason: string, operation: LeaveOperation = 'default'): Promise<void> {
    this.#isLeaving = true
    this.#over()
    const { clock } = this.#cluster.environment
    await releaseInTime(this.#handover, clock)
    await inTime(this.#named(operation), LEAVE_TIMEOUT_MS, clock)
    this.#member.leave(reason, operation)
    this.#perform()
    await this.#leaving
  }

  /**
   * Who asks to join for the first time is given a name (KIP-394), at once, and the others wait for whoever has it: without it nobody could take that back, and the group would
   * wait until the session ends.
   */
  async #named(operation: LeaveOperation): Promise<void> {
    const { state, identity, isStatic } = this.#member
    if (state === 'joining' && identity.memberId === '' && !isStatic && operation !== 'remain') await this.#joining
  }

  #over(): void {
    this.#topics.stop()
    this.#endWatch()
  }

  #topicsChanged(): void {
    this.#member.subscribe(this.#topics.names, this.#now())
    this.#changed()
  }

  /** The leader starts a rebalance when a topic of the group has other partitions than it assigned. */
  #metadataChanged(): void {
    const { state, groupTopics } = this.#member
    if (state === 'left' || state === 'failed') return
    this.#topics.look()
    this.#member.topicsSeen(this.#topics.layoutsOf(groupTopics), this.#now())
    this.#changed()
  }

  #changed(): void {
    this.#perform()
    this.#owner.changed()
  }

  #perform(): void {
    for (let effects = this.#member.effects.splice(0); effects.length > 0; effects = this.#member.effects.splice(0)) {
      for (const effect of effects) this.#carryOut(effect)
    }
  }

  #carryOut(effect: MemberEffect): void {
    const member = this.#member
    // Heartbeats go on while the listener learns that all is given up; but nothing comes to us any more, and nothing is given up twice.
    if (this.#isLeaving && OF_A_REBALANCE.has(effect.kind)) return
    switch (effect.kind) {
      case 'join':
        this.#joining = this.#exchange('join', joinGroupApi, effect, (serial, response, now) =>
          member.joinAnswered(serial, response, now),
        )
        return
      case 'sync':
        void this.#exchange('sync', syncGroupApi, effect, (serial, response, now) => member.syncAnswered(serial, response, now))
        return
      case 'heartbeat':
        void this.#ask('heartbeat', heartbeatApi, effect, (serial, response, now) =>
          member.heartbeatAnswered(serial, response, now),
        )
        return
      case 'leave': {
        const role = this.#exchanges > 0 ? LEAVE_ROLE : GROUP_ROLE
        this.#leaving = this.#link.request(leaveGroupApi, effect.request, LEAVE_TIMEOUT_MS, role).then(noop, noop)
        return
      }
      case 'describe-topics':
        return this.#describeTopics(effect.serial, effect.topics)
      case 'revoke':
        return this.#handover.revoke(effect.partitions, () => {
          member.revoked(effect.serial, this.#now())
          this.#changed()
        })
      case 'lost':
        return this.#handover.lose(effect.reason)
      case 'assigned':
        return this.#handover.assign(effect.partitions, effect.generationId)
      case 'coordinator-lost':
        return this.#link.lost()
      case 'member-ignored':
        return this.#events.emit('memberIgnored', { memberId: effect.memberId, error: effect.error })
      case 'zombie':
        return this.#events.emit('zombie', effect.event)
      case 'failed':
        this.#over()
        return this.#owner.failed(effect.error)
    }
  }

  #exchange<Request, Response>(
    kind: 'join' | 'sync',
    api: Api<Request, Response>,
    effect: { readonly serial: number; readonly request: Request; readonly timeoutMs: number },
    answered: (serial: number, response: Response, now: number) => void,
  ): Promise<void> {
    this.#exchanges++
    return this.#ask(
      kind,
      api,
      effect,
      (serial, response: Response, now) => answered(serial, response, now),
      () => this.#exchanges--,
    )
  }

  #ask<Request, Response>(
    kind: 'join' | 'sync' | 'heartbeat',
    api: Api<Request, Response>,
    effect: { readonly serial: number; readonly request: Request; readonly timeoutMs?: number },
    answered: (serial: number, response: Response, now: number) => void,
    ended: () => void = noop,
  ): Promise<void> {
    return this.#link.request(api, effect.request, effect.timeoutMs, GROUP_ROLE).then(
      (response) => {
        ended()
        this.#guard(() => answered(effect.serial, response, this.#now()))
      },
      (error: unknown) => {
        ended()
        this.#member.requestFailed(kind, effect.serial, asKafkaError(error), this.#now())
        this.#changed()
      },
    )
  }

  #describeTopics(serial: number, topics: readonly string[]): void {
    this.#cluster.refreshMetadata(topics).then(
      () => this.#guard(() => this.#member.topicsDescribed(serial, this.#topics.layoutsOf(topics), this.#now())),
      (error: unknown) => {
        this.#member.requestFailed('describe-topics', serial, asKafkaError(error), this.#now())
        this.#changed()
      },
    )
  }

  /** Another member's metadata, or an assignment, may not be readable. */
  #guard(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#member.fail(asKafkaError(error))
    }
    this.#changed()
  }

  #now(): number {
    return this.#cluster.environment.clock.now()
  }
}

function noop(): void {}
