import { ZERO_UUID } from '@millrace/protocol'
import { heartbeatApi } from '@millrace/protocol/apis/heartbeat'
import { joinGroupApi, type JoinGroupRequest, type JoinGroupResponse } from '@millrace/protocol/apis/join-group'
import { leaveGroupApi } from '@millrace/protocol/apis/leave-group'
import { offsetCommitApi, type OffsetCommitRequest } from '@millrace/protocol/apis/offset-commit'
import { offsetFetchApi } from '@millrace/protocol/apis/offset-fetch'
import { syncGroupApi, type SyncGroupResponse } from '@millrace/protocol/apis/sync-group'
import type { BrokerCore } from '../src/core/broker-core.ts'
import { WireClient } from './core-fixtures.ts'

export const SESSION_TIMEOUT_MS = 10_000
export const REBALANCE_TIMEOUT_MS = 60_000

export function joinRequest(overrides: Partial<JoinGroupRequest> = {}): JoinGroupRequest {
  return {
    groupId: 'g',
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
    memberId: '',
    groupInstanceId: null,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: subscription('orders') }],
    reason: null,
    ...overrides,
  }
}

/** A version 0 subscription of the consumer protocol. */
export function subscription(...topics: string[]): Buffer {
  const parts: Buffer[] = [Buffer.from([0, 0]), int32(topics.length)]
  for (const topic of topics) parts.push(Buffer.from([0, topic.length]), Buffer.from(topic))
  return Buffer.concat([...parts, int32(-1)])
}

/** One consumer: a connection of its own, as clients have for their coordinator. */
export class TestMember {
  readonly client: WireClient
  readonly #overrides: Partial<JoinGroupRequest>
  readonly #version: number
  id = ''
  generation = -1

  constructor(core: BrokerCore, overrides: Partial<JoinGroupRequest> = {}, version = 9) {
    this.client = new WireClient(core)
    this.#overrides = overrides
    this.#version = version
  }

  get groupId(): string {
    return this.#overrides.groupId ?? 'g'
  }

  /** Sends JoinGroup, the second time if the broker hands out an id first; the reply may be waited for. */
  join(overrides: Partial<JoinGroupRequest> = {}): () => JoinGroupResponse | null {
    const request = { ...joinRequest(this.#overrides), memberId: this.id, ...overrides }
    let reply = this.client.send(joinGroupApi, this.#version, request)
    const first = reply()
    if (first?.errorCode === 79) {
      this.id = first.memberId
      reply = this.client.send(joinGroupApi, this.#version, { ...request, memberId: first.memberId })
    }
    return () => {
      const answer = reply()
      if (answer !== null && answer.errorCode === 0) {
        this.id = answer.memberId
        this.generation = answer.generationId
      }
      return answer
    }
  }

  sync(assignments: Readonly<Record<string, string>> = {}): () => SyncGroupResponse | null {
    return this.client.send(syncGroupApi, 5, {
      groupId: this.groupId,
      generationId: this.generation,
      memberId: this.id,
      groupInstanceId: this.#overrides.groupInstanceId ?? null,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: Object.entries(assignments).map(([memberId, text]) => ({ memberId, assignment: Buffer.from(text) })),
    })
  }

  heartbeat(generation: number = this.generation): number {
    const { groupId } = this
    const groupInstanceId = this.#overrides.groupInstanceId ?? null
    return this.client.ask(heartbeatApi, 4, { groupId, generationId: generation, memberId: this.id, groupInstanceId }).errorCode
  }

  leave(): number {
    const members = [{ memberId: this.id, groupInstanceId: null, reason: null }]
    return this.client.ask(leaveGroupApi, 5, { groupId: this.groupId, memberId: '', members }).members[0]!.errorCode
  }

  commit(offset: number, overrides: Partial<OffsetCommitRequest> = {}): number {
    const request = commitRequest(
      this.groupId,
      { orders: [offset] },
      { memberId: this.id, generationIdOrMemberEpoch: this.generation, ...overrides },
    )
    return this.client.ask(offsetCommitApi, 9, request).topics[0]!.partitions[0]!.errorCode
  }
}

/** @param offsets by topic: the offset of partition 0, 1, … */
export function commitRequest(
  groupId: string,
  offsets: Readonly<Record<string, readonly number[]>>,
  overrides: Partial<OffsetCommitRequest> = {},
): OffsetCommitRequest {
  return {
    groupId,
    generationIdOrMemberEpoch: -1,
    memberId: '',
    groupInstanceId: null,
    retentionTimeMs: -1n,
    topics: Object.entries(offsets).map(([name, list]) => ({
      name,
      topicId: ZERO_UUID,
      partitions: list.map((offset, partitionIndex) => {
        return { partitionIndex, committedOffset: BigInt(offset), committedLeaderEpoch: -1, committedMetadata: `at ${offset}` }
      }),
    })),
    ...overrides,
  }
}

/** All committed offsets of a group, as `topic-partition: offset`. */
export function committed(client: WireClient, groupId: string): Record<string, number> {
  const groups = [{ groupId, memberId: null, memberEpoch: -1, topics: null }]
  const reply = client.ask(offsetFetchApi, 9, { groupId: '', topics: [], groups, requireStable: true })
  const all: Record<string, number> = {}
  for (const { name, partitions } of reply.groups[0]!.topics) {
    for (const { partitionIndex, committedOffset } of partitions) all[`${name}-${partitionIndex}`] = Number(committedOffset)
  }
  return all
}

/** Two members, stable in generation 2: `a` leads and has "A", `b` has "B". */
export function stablePair(core: BrokerCore, version = 9): { a: TestMember; b: TestMember } {
  const a = new TestMember(core, {}, version)
  const b = new TestMember(core, {}, version)
  a.join()()
  a.sync({ [a.id]: 'A' })
  const bJoin = b.join()
  const aJoin = a.join()
  if (aJoin() === null || bJoin() === null) throw new Error('the join phase did not end')
  a.sync({ [a.id]: 'A', [b.id]: 'B' })
  if (b.sync()()?.assignment.toString() !== 'B') throw new Error('the group is not stable')
  return { a, b }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value, 0)
  return bytes
}
