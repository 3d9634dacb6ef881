import { heartbeatApi } from '@millrace/protocol/apis/heartbeat'
import { joinGroupApi, type JoinGroupRequest, type JoinGroupResponse } from '@millrace/protocol/apis/join-group'
import { leaveGroupApi } from '@millrace/protocol/apis/leave-group'
import { syncGroupApi, type SyncGroupResponse } from '@millrace/protocol/apis/sync-group'
import {
  decodeConsumerProtocolAssignment,
  encodeConsumerProtocolAssignment,
} from '@millrace/protocol/apis/consumer-protocol-assignment'
import { encodeConsumerProtocolSubscription } from '@millrace/protocol/apis/consumer-protocol-subscription'
import { Reader, Writer } from '@millrace/protocol/internal'
import type { BrokerCore } from '../src/core/broker-core.ts'
import { WireClient } from './core-fixtures.ts'

const VERSION = 1
/** Deals partitions out by turns where it leads; members keep what they have while they join (it is cooperative in this). */
const PROTOCOL = 'cooperative-deal'

/** A consumer of the classic protocol with real subscriptions and assignments, one topic, and partitions by name: `orders-0`. */
export class ClassicConsumer {
  core: BrokerCore
  client: WireClient
  readonly topic: string
  readonly instanceId: string | null
  id = ''
  generation = -1
  /** What it works on, as partition numbers. */
  owned: number[] = []
  userData: Buffer | null = null
  /** What it assigns besides, where it leads. */
  readonly alsoAssigned: number[] = []
  /** What it deals out to nobody where it leads. */
  withheld: readonly number[] = []
  #joined: JoinGroupResponse | null = null

  constructor(core: BrokerCore, topic: string = 'orders', instanceId: string | null = null) {
    this.core = core
    this.client = new WireClient(core)
    this.topic = topic
    this.instanceId = instanceId
  }

  /** Sends JoinGroup, twice when it has no id yet. The reply is null while it is waited for. */
  join(overrides: Partial<JoinGroupRequest> = {}): () => JoinGroupResponse | null {
    let waiting = this.client.send(joinGroupApi, 9, this.#request(overrides))
    const first = waiting()
    if (first?.errorCode === 79) {
      this.id = first.memberId
      waiting = this.client.send(joinGroupApi, 9, this.#request(overrides))
    }
    return () => {
      const reply = waiting()
      if (reply?.errorCode === 0) {
        this.id = reply.memberId
        this.generation = reply.generationId
        this.#joined = reply
      }
      return reply
    }
  }

  /** Sends SyncGroup, with an assignment of all members where it leads. The reply is null while it is waited for. */
  sync(): () => SyncGroupResponse | null {
    const waiting = this.client.send(syncGroupApi, 5, {
      groupId: 'g',
      generationId: this.generation,
      memberId: this.id,
      groupInstanceId: this.instanceId,
      protocolType: 'consumer',
      protocolName: PROTOCOL,
      assignments: this.#deal(),
    })
    return () => {
      const reply = waiting()
      if (reply?.errorCode === 0) this.owned = this.#read(reply.assignment)
      return reply
    }
  }

  heartbeat(): number {
    const request = { groupId: 'g', generationId: this.generation, memberId: this.id, groupInstanceId: this.instanceId }
    return this.client.ask(heartbeatApi, 4, request).errorCode
  }

  leave(): number {
    const members = [{ memberId: this.id, groupInstanceId: this.instanceId, reason: null }]
    this.owned = []
    const reply = this.client.ask(leaveGroupApi, 5, { groupId: 'g', memberId: '', members })
    return reply.errorCode === 0 ? reply.members[0]!.errorCode : reply.errorCode
  }

  #request(overrides: Partial<JoinGroupRequest>): JoinGroupRequest {
    return {
      groupId: 'g',
      sessionTimeoutMs: 45_000,
      rebalanceTimeoutMs: 60_000,
      memberId: this.id,
      groupInstanceId: this.instanceId,
      protocolType: 'consumer',
      protocols: [{ name: PROTOCOL, metadata: this.#subscription() }],
      reason: null,
      ...overrides,
    }
  }

  #subscription(): Buffer {
    const writer = new Writer()
    writer.int16(VERSION)
    const ownedPartitions = this.owned.length === 0 ? [] : [{ topic: this.topic, partitions: this.owned }]
    const subscription = { topics: [this.topic], userData: null, ownedPartitions, generationId: -1, rackId: null }
    encodeConsumerProtocolSubscription(writer, subscription, VERSION)
    return writer.toBuffer()
  }

  #deal(): { memberId: string; assignment: Buffer }[] {
    const members = this.#joined?.members ?? []
    const count = this.core.services.topics.byName(this.topic)!.partitions.length
    return members.map(({ memberId }, index) => {
      const dealt = Array.from({ length: count }, (_, i) => i).filter((partition) => !this.withheld.includes(partition))
      const partitions = dealt.filter((partition) => partition % members.length === index)
      const writer = new Writer()
      writer.int16(VERSION)
      partitions.push(...this.alsoAssigned)
      const assignedPartitions = partitions.length === 0 ? [] : [{ topic: this.topic, partitions }]
      encodeConsumerProtocolAssignment(writer, { assignedPartitions, userData: this.userData }, VERSION)
      return { memberId, assignment: writer.toBuffer() }
    })
  }

  #read(assignment: Buffer): number[] {
    if (assignment.length === 0) return []
    const reader = new Reader(assignment)
    const { assignedPartitions } = decodeConsumerProtocolAssignment(reader, reader.int16())
    return assignedPartitions.flatMap(({ partitions }) => partitions)
  }
}

/** Classic consumers that make up a stable group. */
export function stableClassicGroup(core: BrokerCore, count: number): ClassicConsumer[] {
  const consumers = Array.from({ length: count }, () => new ClassicConsumer(core))
  const first = consumers[0]!
  const replies = consumers.map((consumer) => consumer.join())
  if (count > 1) replies[0] = first.join()
  for (const reply of replies) if (reply()?.errorCode !== 0) throw new Error('the group did not form')
  const syncs = consumers.map((consumer) => consumer.sync())
  for (const reply of syncs) if (reply()?.errorCode !== 0) throw new Error('the group is not stable')
  return consumers
}
