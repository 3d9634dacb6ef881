import { ErrorCode, KafkaError } from '@millrace/protocol'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '@millrace/protocol/apis/consumer-group-heartbeat'
import fc from 'fast-check'
import { assert, expect, test } from 'vitest'
import { ConsumerMember } from './consumer-member.ts'
import type { ConsumerMemberEffect } from './consumer-states.ts'

/**
 * Members against a model of the coordinator of KIP-848: heartbeats are lost on the way and on the way back, members are fenced, listeners
 * take their time, topics have no names at first. Whatever happens, no partition is with two members at once, and all comes to rest.
 */

const PARTITIONS = 6
const HEARTBEAT_MS = 10

interface Known {
  epoch: number
  /** What it may have: nobody else gets it before it says that it has not. */
  held: Set<number>
  target: Set<number>
  /** What it was told last, so that it is told again only what is new. */
  told: string
}

/** Hands each partition to the next owner only after the last one said that it gave it up. */
class Coordinator {
  readonly members = new Map<string, Known>()
  /** Put out, and not back yet: what such a member does until it knows is refused by its epoch. */
  readonly fenced = new Set<string>()
  #epoch = 0

  fence(memberId: string): void {
    if (this.members.delete(memberId)) this.fenced.add(memberId)
    this.#assign()
  }

  heartbeat(request: ConsumerGroupHeartbeatRequest): ConsumerGroupHeartbeatResponse {
    const { memberId, memberEpoch } = request
    if (memberEpoch < 0) {
      this.members.delete(memberId)
      this.#assign()
      return answer(memberId, memberEpoch, null)
    }
    let known = this.members.get(memberId)
    if (memberEpoch === 0) {
      assert.deepEqual(request.topicPartitions, [], 'who joins has nothing')
      assert.isNotNull(request.subscribedTopicNames)
      this.fenced.delete(memberId)
      known = { epoch: 0, held: new Set(), target: new Set(), told: '' }
      this.members.set(memberId, known)
      this.#assign()
    } else if (known === undefined) return { ...answer(memberId, -1, null), errorCode: ErrorCode.UNKNOWN_MEMBER_ID }
    const owned = request.topicPartitions?.flatMap(({ partitions }) => partitions)
    if (owned !== undefined) known.held = new Set([...known.held].filter((one) => owned.includes(one)))
    const others = new Set([...this.members.values()].filter((one) => one !== known).flatMap(({ held }) => [...held]))
    const given = [...known.target].filter((one) => !others.has(one)).sort((a, b) => a - b)
    const keeps = [...known.held].every((one) => given.includes(one))
    // It gives up first, and takes over in the new epoch.
    const next = keeps ? given : given.filter((one) => known.held.has(one))
    if (keeps) known.epoch = this.#epoch
    known.held = new Set([...known.held, ...next])
    const text = next.join()
    const isNew = memberEpoch === 0 || text !== known.told || request.rebalanceTimeoutMs >= 0
    known.told = text
    return answer(memberId, known.epoch, isNew ? next : null)
  }

  #assign(): void {
    this.#epoch++
    const ids = [...this.members.keys()].sort()
    for (const known of this.members.values()) known.target = new Set()
    for (let partition = 0; partition < PARTITIONS && ids.length > 0; partition++) {
      this.members.get(ids[partition % ids.length]!)!.target.add(partition)
    }
  }
}

function answer(memberId: string, memberEpoch: number, partitions: number[] | null): ConsumerGroupHeartbeatResponse {
  const assignment = partitions === null ? null : { topicPartitions: [{ topicId: 'id', partitions }] }
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    memberId,
    memberEpoch,
    heartbeatIntervalMs: HEARTBEAT_MS,
    assignment,
  }
}

type Pending = (now: number) => void

class Application {
  readonly member: ConsumerMember
  /** What the application works on: ends when it is revoked or lost. */
  readonly working = new Set<number>()
  readonly pending: Pending[] = []
  readonly id: string
  hasNames = false
  isAlive = true

  constructor(id: string) {
    this.id = id
    const config = {
      groupId: 'g',
      groupInstanceId: null,
      groupRemoteAssignor: null,
      rackId: null,
      maxPollIntervalMs: 1_000,
      sessionTimeoutMs: 500,
    }
    const backoff = { retryBackoffMs: 5, retryBackoffMaxMs: 20 }
    this.member = new ConsumerMember(
      config,
      id,
      { topics: ['t'] },
      () => (this.hasNames ? 't' : undefined),
      backoff,
      () => 0.5,
    )
  }

  step(now: number, coordinator: Coordinator, lose: () => number): void {
    this.member.tick(now)
    for (const effect of this.member.effects.splice(0)) this.#take(effect, coordinator, lose)
  }

  #take(effect: ConsumerMemberEffect, coordinator: Coordinator, lose: () => number): void {
    const { member, pending } = this
    if (effect.kind === 'heartbeat') {
      const fate = lose()
      const response = fate === 1 ? null : coordinator.heartbeat(effect.request)
      if (fate === 0) return void pending.push((now) => member.heartbeatAnswered(effect.serial, response!, now))
      const error = new KafkaError('CONNECTION_CLOSED', 'cut', { retriable: true })
      pending.push((now) => member.heartbeatFailed(effect.serial, error, now))
    } else if (effect.kind === 'leave') coordinator.heartbeat(effect.request)
    else if (effect.kind === 'revoke') {
      pending.push(() => {
        // Lost meanwhile: the owner heard of that already.
        if (effect.partitions.every(({ partition }) => this.working.has(partition))) {
          for (const { partition } of effect.partitions) this.working.delete(partition)
        }
        member.revoked(effect.serial)
      })
    } else if (effect.kind === 'assign') {
      for (const { partition } of effect.partitions) this.working.add(partition)
      pending.push((now) => member.assigned(effect.serial, now))
    } else if (effect.kind === 'lose') {
      this.working.clear()
      pending.push((now) => member.released(effect.serial, now))
    } else if (effect.kind === 'resolve-topics') {
      pending.push((now) => {
        this.hasNames = true
        member.namesChanged(now)
      })
    }
    assert.notEqual(effect.kind, 'failed')
  }
}

const action = fc.record({
  kind: fc.constantFrom('step', 'step', 'step', 'step', 'answer', 'answer', 'answer', 'fence', 'join', 'leave'),
  who: fc.nat(3),
  which: fc.nat(5),
})

test('no partition is with two members at once, and all comes to rest', () => {
  const run = fc.property(
    fc.array(action, { minLength: 20, maxLength: 200 }),
    fc.array(fc.nat(9), { minLength: 1, maxLength: 50 }),
    (actions, dice) => {
      const coordinator = new Coordinator()
      const applications: Application[] = []
      let now = 1_000
      let throws = 0
      let isCalm = false
      // 1: the request is lost, 2: the answer is.
      const lose = (): number => (isCalm ? 0 : [1, 2, 0][Math.min(2, dice[throws++ % dice.length]!)]!)
      for (const { kind, who, which } of actions) {
        now += 3
        const one = applications[who]
        if (kind === 'join' && applications.length < 4) {
          const next = new Application(`m${applications.length}`)
          next.member.start(now)
          applications.push(next)
        } else if (one === undefined || !one.isAlive) continue
        else if (kind === 'step') one.step(now, coordinator, lose)
        else if (kind === 'answer') one.pending.splice(which % Math.max(1, one.pending.length), 1)[0]?.(now)
        else if (kind === 'fence') {
          coordinator.fence(one.id)
        } else if (kind === 'leave') {
          one.member.leave('default')
          one.step(now, coordinator, () => 0)
          one.working.clear()
          coordinator.fence(one.id)
          one.isAlive = false
        }
        expectOneOwner(applications, coordinator)
      }
      isCalm = true
      const alive = applications.filter(({ isAlive }) => isAlive)
      for (let round = 0; round < 400; round++) {
        now += HEARTBEAT_MS
        for (const one of alive) {
          one.step(now, coordinator, lose)
          for (const pending of one.pending.splice(0)) pending(now)
        }
        expectOneOwner(applications, coordinator)
      }
      const working = alive.flatMap((one) => [...one.working])
      expect(sorted(working)).toEqual(alive.length === 0 ? [] : Array.from({ length: PARTITIONS }, (_, partition) => partition))
      expect(alive.every(({ member }) => member.state === 'stable')).toBe(true)
      for (const one of alive) expect(sorted(one.working)).toEqual(sorted(one.member.owned.map(({ partition }) => partition)))
    },
  )
  fc.assert(run, { numRuns: 500 })
})

function expectOneOwner(applications: readonly Application[], coordinator: Coordinator): void {
  const working = applications.filter(({ id }) => !coordinator.fenced.has(id)).flatMap((one) => [...one.working])
  expect(new Set(working).size, 'each partition is with one member').toBe(working.length)
}

function sorted(numbers: Iterable<number>): number[] {
  return [...numbers].sort((a, b) => a - b)
}
