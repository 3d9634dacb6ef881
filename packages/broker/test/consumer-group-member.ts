import {
  consumerGroupHeartbeatApi,
  type ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
} from '@millrace/protocol/apis/consumer-group-heartbeat'
import type { ConsumerGroup } from '../src/consumer-groups/consumer-group.ts'
import type { BrokerCore } from '../src/core/broker-core.ts'
import { WireClient } from './core-fixtures.ts'

export const HEARTBEAT_MS = 5000
export const SESSION_MS = 45_000

/** `topic id-partition`, sorted. */
export function partitionNames(list: readonly { readonly topicId: string; readonly partitions: readonly number[] }[]): string[] {
  return list.flatMap(({ topicId, partitions }) => partitions.map((partition) => `${topicId}-${partition}`)).toSorted()
}

/** A member of the consumer protocol as a client is one: it owns what it was told, until it was told otherwise and has let go of it. */
export class ConsumerGroupMember {
  client: WireClient
  id: string
  readonly groupId: string
  instanceId: string | null
  epoch = 0
  /** What the coordinator assigned last. */
  assigned: { topicId: string; partitions: number[] }[] = []
  /** What it works on. */
  owned: { topicId: string; partitions: number[] }[] = []
  subscription: Partial<ConsumerGroupHeartbeatRequest>
  /** A reply was lost: it does not know whether it was told something new. */
  #isUnsure = false

  constructor(
    core: BrokerCore,
    id: string,
    subscription: Partial<ConsumerGroupHeartbeatRequest> = { subscribedTopicNames: ['orders'] },
    instanceId: string | null = null,
    groupId = 'g',
  ) {
    this.client = new WireClient(core)
    this.id = id
    this.subscription = subscription
    this.instanceId = instanceId
    this.groupId = groupId
  }

  get ownedNames(): string[] {
    return partitionNames(this.owned)
  }

  /** Sends a heartbeat and takes no notice of the reply. */
  send(overrides: Partial<ConsumerGroupHeartbeatRequest> = {}, version = 1): ConsumerGroupHeartbeatResponse {
    return this.client.ask(consumerGroupHeartbeatApi, version, {
      groupId: this.groupId,
      memberId: this.id,
      memberEpoch: this.epoch,
      instanceId: this.instanceId,
      rackId: null,
      rebalanceTimeoutMs: -1,
      subscribedTopicNames: null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: this.#reported(),
      ...overrides,
    })
  }

  /** Joins, or joins anew without partitions. */
  join(): ConsumerGroupHeartbeatResponse {
    this.epoch = 0
    this.owned = []
    this.assigned = []
    return this.#take(this.send({ memberEpoch: 0, rebalanceTimeoutMs: 60_000, ...this.subscription }))
  }

  heartbeat(overrides: Partial<ConsumerGroupHeartbeatRequest> = {}): ConsumerGroupHeartbeatResponse {
    const full = this.#isUnsure ? { rebalanceTimeoutMs: 60_000, ...this.subscription } : {}
    return this.#take(this.send({ ...full, ...overrides }))
  }

  /** A heartbeat whose reply is lost. The next one says everything again, and so is told everything again. */
  lose(): void {
    this.send()
    this.#isUnsure = true
  }

  /** Lets go of what is not assigned to it any more, and begins to work on the rest. */
  apply(): void {
    this.owned = this.assigned
  }

  /** Heartbeats until it is told nothing new: what it gives back, it is then without. */
  settle(): void {
    for (let step = 0; step < 5; step++) {
      this.heartbeat()
      this.apply()
    }
  }

  leave(memberEpoch = -1): ConsumerGroupHeartbeatResponse {
    const reply = this.send({ memberEpoch, topicPartitions: null })
    if (reply.errorCode === 0) this.owned = this.assigned = []
    return reply
  }

  /** What it works on, and what it was given and may work on before the next reply comes. */
  #reported(): { topicId: string; partitions: number[] }[] {
    const all = new Map<string, Set<number>>()
    for (const { topicId, partitions } of [...this.owned, ...this.assigned]) {
      all.set(topicId, new Set([...(all.get(topicId) ?? []), ...partitions]))
    }
    return [...all].map(([topicId, partitions]) => ({ topicId, partitions: [...partitions] }))
  }

  #take(reply: ConsumerGroupHeartbeatResponse): ConsumerGroupHeartbeatResponse {
    this.#isUnsure = false
    if (reply.errorCode !== 0) return reply
    this.epoch = reply.memberEpoch
    if (reply.assignment !== null) this.assigned = reply.assignment.topicPartitions
    return reply
  }
}

/** The consumer group as the coordinator has it. */
export function consumerGroup(core: BrokerCore, id = 'g'): ConsumerGroup {
  const group = core.services.groups.group(id)
  if (group?.type !== 'consumer') throw new Error(`${id} is no consumer group`)
  return group
}

/** All of its state that must survive a restart. */
export function stateOf(group: ConsumerGroup): unknown {
  const { id, epoch, metadataHash, assignmentEpoch, assignedAt, state, isHomogeneous, preferredAssignor } = group
  return {
    id,
    epoch,
    metadataHash,
    assignmentEpoch,
    assignedAt,
    state,
    isHomogeneous,
    preferredAssignor,
    members: new Map(group.members),
    instances: new Map(group.instances),
    targets: new Map(group.targets),
    regexes: new Map(group.regexes),
    subscriptions: group.subscriptions,
  }
}
