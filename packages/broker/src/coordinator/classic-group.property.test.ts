import { ErrorCode } from '@millrace/protocol'
import type { JoinGroupResponse } from '@millrace/protocol/apis/join-group'
import type { SyncGroupResponse } from '@millrace/protocol/apis/sync-group'
import fc from 'fast-check'
import assert from 'node:assert'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { SESSION_TIMEOUT_MS, TestMember } from '../../test/group-requests.ts'
import type { ClassicGroup } from './classic-group.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'

const MEMBERS = 4
/** Rounds in which well-behaved members bring any group to rest: one to drop the silent, a few for the rebalances that follow. */
const ROUNDS_TO_REST = 40

const defects: unknown[] = []
const listen = (event: unknown): unknown => defects.push(event)
beforeAll(() => subscribe('millrace.broker.request.failed', listen))
afterAll(() => void unsubscribe('millrace.broker.request.failed', listen))

type Step =
  | { readonly kind: 'join' | 'change' | 'sync' | 'heartbeat' | 'leave' | 'forget' | 'commit'; readonly who: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'restart' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constantFrom('join', 'join', 'sync', 'sync', 'heartbeat', 'change', 'leave', 'forget', 'commit'),
      who: fc.nat(MEMBERS - 1),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 1000, SESSION_TIMEOUT_MS, 60_000) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
)

/** A member with what it waits for. It opens a new connection whenever the old one waits, as a client does after a timeout. */
class Actor {
  readonly instance: string | null
  member: TestMember
  joining: (() => JoinGroupResponse | null) | null = null
  syncing: (() => SyncGroupResponse | null) | null = null
  /** What a well-behaved member does next. */
  next: 'join' | 'sync' | 'heartbeat' = 'join'

  constructor(broker: TestBroker, instance: string | null) {
    this.instance = instance
    this.member = new TestMember(broker.core, { groupInstanceId: instance })
  }

  /** An error sends a member back to join: anew if it is not known under its id. */
  told(errorCode: number, next: Actor['next']): void {
    this.next = errorCode === ErrorCode.NONE ? next : 'join'
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID || errorCode === ErrorCode.FENCED_INSTANCE_ID) this.member.id = ''
  }

  reconnect(broker: TestBroker): void {
    const { id, generation } = this.member
    this.member.client.disconnect()
    this.member = new TestMember(broker.core, { groupInstanceId: this.instance })
    this.member.id = id
    this.member.generation = generation
    this.joining = null
    this.syncing = null
  }
}

class Group {
  readonly storage = new MemoryStorage()
  /** Goes on over restarts: ids must not come again. */
  readonly random: () => number = seededRandom()
  broker: TestBroker
  actors: Actor[]
  generation = 0

  constructor(staticMembers: number) {
    this.broker = startBroker({ storage: this.storage, random: this.random })
    this.broker.createTopic('orders')
    this.actors = Array.from({ length: MEMBERS }, (_, i) => new Actor(this.broker, i < staticMembers ? `instance-${i}` : null))
  }

  apply(action: Step): void {
    if (action.kind === 'wait') return this.broker.clock.advance(action.ms)
    if (action.kind === 'restart') return this.restart()
    const actor = this.actors[action.who]!
    if (actor.joining !== null || actor.syncing !== null) actor.reconnect(this.broker)
    this.act(actor, action.kind)
    this.watch()
  }

  act(actor: Actor, kind: Exclude<Step['kind'], 'wait' | 'restart'>): void {
    const { member } = actor
    if (kind === 'join') actor.joining = member.join()
    else if (kind === 'change')
      actor.joining = member.join({ protocols: [{ name: 'range', metadata: Buffer.from(String(this.generation)) }] })
    else if (kind === 'sync') actor.syncing = member.sync(this.assignments())
    else if (kind === 'heartbeat') member.heartbeat()
    else if (kind === 'commit') member.commit(1)
    else if (kind === 'leave') member.leave()
    else member.id = ''
  }

  /** Every member gets something with the generation in it: whoever syncs can tell which generation it is from. */
  assignments(): Record<string, string> {
    return Object.fromEntries(this.actors.map(({ member }) => [member.id, `${member.id}@${this.generation}`]))
  }

  restart(): void {
    this.broker.core.abandon()
    this.broker = startBroker({ storage: this.storage, random: this.random })
    for (const actor of this.actors) actor.reconnect(this.broker)
    // A generation that no leader had assigned is not in the log.
    this.generation = classicGroup(this.broker)?.generation ?? 0
  }

  /** Takes in the answers and checks what must always hold. */
  watch(): void {
    for (const actor of this.actors) {
      const joined = actor.joining?.()
      if (joined) {
        actor.joining = null
        actor.told(joined.errorCode, 'sync')
      }
      const synced = actor.syncing?.()
      if (synced) {
        actor.syncing = null
        actor.told(synced.errorCode, 'heartbeat')
      }
      assert(!actor.member.client.isClosed, 'the broker cut a connection')
    }
    const group = classicGroup(this.broker)
    if (group === undefined) return
    assert(group.generation >= this.generation, 'a generation went back')
    this.generation = group.generation
    assert(group.leader === null || group.members.has(group.leader), 'the leader is no member')
    const awaiting = [...group.members.values()].filter(({ awaitingJoin }) => awaitingJoin !== null)
    assert.equal(awaiting.length, group.awaitingJoinCount)
    assert(group.state !== 'Empty' || group.members.size === 0, 'an empty group has members')
  }

  /** Members that only do what they are told. */
  settle(): void {
    for (const actor of this.actors) {
      actor.reconnect(this.broker)
      actor.next = 'join'
    }
    for (let round = 0; round < ROUNDS_TO_REST; round++) {
      for (const actor of this.actors) {
        if (actor.joining !== null || actor.syncing !== null) continue
        if (actor.next === 'heartbeat') actor.told(actor.member.heartbeat(), 'heartbeat')
        if (actor.next !== 'heartbeat') this.act(actor, actor.next)
        this.watch()
      }
      this.broker.clock.advance(SESSION_TIMEOUT_MS / 4)
      this.watch()
    }
  }
}

test('whatever members did before, once they behave the group is stable with all of them in one generation', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(2), (steps, staticMembers) => {
      const group = new Group(staticMembers)
      for (const action of steps) group.apply(action)
      group.settle()
      expect(defects).toEqual([])
      const state = classicGroup(group.broker)!
      expect([state.state, state.members.size]).toEqual(['Stable', MEMBERS])
      expect(new Set(group.actors.map(({ member }) => member.id))).toEqual(new Set(state.members.keys()))
      expect(group.actors.map(({ member }) => member.heartbeat(state.generation))).toEqual(Array(MEMBERS).fill(0))
    }),
    { numRuns: 300 },
  )
})

function classicGroup(broker: TestBroker): ClassicGroup | undefined {
  const group = broker.core.services.groups.group('g')
  assert(group?.type !== 'consumer', 'no member came by the consumer protocol')
  return group
}

function seededRandom(): () => number {
  let seed = 1
  return () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647
}
