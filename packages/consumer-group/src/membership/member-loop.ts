import { KafkaError, type Api } from '@millrace/protocol'
import type { ClusterClient, RequestBody } from '@millrace/client/internal'
import { heartbeatApi } from '@millrace/protocol/apis/heartbeat'
import { joinGroupApi } from '@millrace/protocol/apis/join-group'
import { leaveGroupApi } from '@millrace/protocol/apis/leave-group'
import { syncGroupApi } from '@millrace/protocol/apis/sync-group'
import { LEAVE_TIMEOUT_MS } from '../limits.ts'
import type { TopicPartition } from '../topic-partition.ts'
import type { ClassicMember } from './classic-member.ts'
import type { MemberEffect } from './member-effects.ts'

/** What the consumer does when its partitions change. */
export interface MembershipListener {
  /** Resolves when nothing of the partitions is in the application's hands any more and what was handled is committed. */
  revoke(partitions: readonly TopicPartition[]): Promise<void>
  lost(partitions: readonly TopicPartition[], reason: string): void
  assigned(partitions: readonly TopicPartition[], generationId: number): void
  failed(error: KafkaError): void
  /** The member may have more to do. */
  changed(): void
}

const GROUP_ROLE = 'coordinator'
const LEAVE_ROLE = 'leave'

/** Carries out what a `ClassicMember` wants: its requests to the coordinator, and the calls to the consumer. */
export class MemberLoop {
  readonly #groupId: string
  readonly #member: ClassicMember
  readonly #cluster: ClusterClient
  readonly #listener: MembershipListener
  #coordinator = -1
  /** The leave that is on its way, for `close` to wait for. */
  #leaving: Promise<void> = Promise.resolve()
  /** Whether a JoinGroup or SyncGroup holds up the connection until the group is complete. */
  #exchanges = 0

  constructor(groupId: string, member: ClassicMember, cluster: ClusterClient, listener: MembershipListener) {
    this.#groupId = groupId
    this.#member = member
    this.#cluster = cluster
    this.#listener = listener
  }

  get leaving(): Promise<void> {
    return this.#leaving
  }

  perform(): void {
    for (let effects = this.#member.effects.splice(0); effects.length > 0; effects = this.#member.effects.splice(0)) {
      for (const effect of effects) this.#carryOut(effect)
    }
  }

  #carryOut(effect: MemberEffect): void {
    const member = this.#member
    switch (effect.kind) {
      case 'join':
        return this.#exchange('join', joinGroupApi, effect, (serial, response, now) => member.joinAnswered(serial, response, now))
      case 'sync':
        return this.#exchange('sync', syncGroupApi, effect, (serial, response, now) => member.syncAnswered(serial, response, now))
      case 'heartbeat':
        return this.#ask('heartbeat', heartbeatApi, effect, (serial, response, now) =>
          member.heartbeatAnswered(serial, response, now),
        )
      case 'leave': {
        const role = this.#exchanges > 0 ? LEAVE_ROLE : GROUP_ROLE
        this.#leaving = this.#request(leaveGroupApi, effect.request, LEAVE_TIMEOUT_MS, role).then(noop, noop)
        return
      }
      case 'count-partitions':
        return this.#countPartitions(effect.serial, effect.topics)
      case 'revoke':
        this.#listener.revoke(effect.partitions).then(() => {
          member.revoked(effect.serial, this.#now())
          this.#listener.changed()
        }, noop)
        return
      case 'lost':
        return this.#listener.lost(effect.partitions, effect.reason)
      case 'assigned':
        return this.#listener.assigned(effect.partitions, effect.generationId)
      case 'coordinator-lost':
        return this.#cluster.invalidateCoordinator('group', this.#groupId, this.#coordinator)
      case 'failed':
        return this.#listener.failed(effect.error)
    }
  }

  #exchange<Request, Response>(
    kind: 'join' | 'sync',
    api: Api<Request, Response>,
    effect: { readonly serial: number; readonly request: Request; readonly timeoutMs: number },
    answered: (serial: number, response: Response, now: number) => void,
  ): void {
    this.#exchanges++
    this.#ask(
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
  ): void {
    this.#request(api, effect.request, effect.timeoutMs, GROUP_ROLE).then(
      (response) => {
        ended()
        this.#guard(() => answered(effect.serial, response, this.#now()))
      },
      (error: unknown) => {
        ended()
        this.#member.requestFailed(kind, effect.serial, asKafkaError(error), this.#now())
        this.#listener.changed()
      },
    )
  }

  async #request<Request, Response>(
    api: Api<Request, Response>,
    body: RequestBody<Request>,
    timeoutMs: number | undefined,
    role: string,
  ): Promise<Response> {
    this.#coordinator = await this.#cluster.coordinatorFor('group', this.#groupId, { timeoutMs })
    return this.#cluster.request(this.#coordinator, api, body, { role, timeoutMs })
  }

  #countPartitions(serial: number, topics: readonly string[]): void {
    this.#cluster.refreshMetadata(topics).then(
      () => this.#guard(() => this.#member.topicsCounted(serial, this.countsOf(topics), this.#now())),
      (error: unknown) => {
        this.#member.requestFailed('count-partitions', serial, asKafkaError(error), this.#now())
        this.#listener.changed()
      },
    )
  }

  /** The topics that exist, with how many partitions they have. */
  countsOf(topics: readonly string[]): Map<string, number> {
    const counts = new Map<string, number>()
    for (const topic of topics) {
      const count = this.#cluster.partitionsFor(topic).length
      if (count > 0) counts.set(topic, count)
    }
    return counts
  }

  /** Another member's metadata, or an assignment, may not be readable. */
  #guard(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#member.fail(asKafkaError(error))
    }
    this.#listener.changed()
  }

  #now(): number {
    return this.#cluster.environment.clock.now()
  }
}

function asKafkaError(error: unknown): KafkaError {
  if (error instanceof KafkaError) return error
  return new KafkaError('UNEXPECTED_ERROR', error instanceof Error ? error.message : String(error), { cause: error })
}

function noop(): void {}
