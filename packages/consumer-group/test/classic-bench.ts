import { assert } from 'vitest'
import type { JoinGroupResponse } from '@millrace/protocol/apis/join-group'
import type { PartitionAssignor, TopicLayout } from '../src/assignors/assignor.ts'
import { rangeAssignor } from '../src/assignors/range.ts'
import type { TopicPartition } from '../src/topic-partition.ts'
import { ClassicMember } from '../src/membership/classic-member.ts'
import { encodeAssignment } from '../src/membership/consumer-protocol.ts'
import type { MemberEffect } from '../src/membership/member-effects.ts'
import type { MemberConfig } from '../src/membership/member-requests.ts'

type Kind = MemberEffect['kind']
type Effect<Name extends Kind> = Extract<MemberEffect, { kind: Name }>

const CONFIG: MemberConfig = {
  groupId: 'g',
  groupInstanceId: null,
  assignors: [rangeAssignor],
  sessionTimeoutMs: 1_000,
  heartbeatIntervalMs: 300,
  maxPollIntervalMs: 5_000,
  requestTimeoutMs: 100,
  rackId: null,
}

/** A member whose coordinator is the test. */
export class ClassicBench {
  readonly member: ClassicMember
  now = 10_000

  constructor(
    assignors: readonly PartitionAssignor[] = [rangeAssignor],
    config: Partial<MemberConfig> = {},
    topics: readonly string[] = ['t'],
  ) {
    const settings = { ...CONFIG, assignors, ...config }
    this.member = new ClassicMember(settings, topics, { retryBackoffMs: 50, retryBackoffMaxMs: 50 }, () => 0.5)
  }

  /** The only effect, which must be of this kind. */
  only<Name extends Kind>(kind: Name): Effect<Name> {
    const effects = this.member.effects.splice(0)
    assert.deepEqual(
      effects.map((effect) => effect.kind),
      [kind],
    )
    return effects[0] as Effect<Name>
  }

  kinds(): Kind[] {
    return this.member.effects.splice(0).map((effect) => effect.kind)
  }

  wait(ms: number): void {
    this.now += ms
    this.member.tick(this.now)
  }

  answerJoin(join: Effect<'join'>, fields: Partial<JoinGroupResponse> = {}): void {
    const response: JoinGroupResponse = {
      throttleTimeMs: 0,
      errorCode: 0,
      generationId: 1,
      protocolType: 'consumer',
      protocolName: join.request.protocols[0]!.name,
      leader: 'other',
      skipAssignment: false,
      memberId: 'me',
      members: [],
      ...fields,
    }
    this.member.joinAnswered(join.serial, response, this.now)
  }

  answerSync(sync: Effect<'sync'>, partitions: readonly TopicPartition[], errorCode = 0): void {
    const response = {
      throttleTimeMs: 0,
      errorCode,
      protocolType: null,
      protocolName: null,
      assignment: encodeAssignment(partitions),
    }
    this.member.syncAnswered(sync.serial, response, this.now)
  }

  answerHeartbeat(errorCode: number): void {
    this.member.heartbeatAnswered(this.only('heartbeat').serial, { throttleTimeMs: 0, errorCode }, this.now)
  }

  /** Joins as a follower and gets these. */
  stable(partitions: readonly TopicPartition[], generationId = 1): void {
    if (this.member.state === 'idle') this.member.start(this.now)
    this.answerJoin(this.only('join'), { generationId })
    this.answerSync(this.only('sync'), partitions)
  }
}

export function layouts(counts: Record<string, number>): Map<string, TopicLayout> {
  return new Map(Object.entries(counts).map(([topic, partitionCount]) => [topic, { partitionCount, replicaRacks: [] }]))
}

export function t(...partitions: number[]): TopicPartition[] {
  return partitions.map((partition) => ({ topic: 't', partition }))
}
