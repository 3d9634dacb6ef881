import { ErrorCode } from '@millrace/protocol'
import type { JoinGroupResponse } from '@millrace/protocol/apis/join-group'
import type { SyncGroupResponse } from '@millrace/protocol/apis/sync-group'
import fc from 'fast-check'
import assert from 'node:assert'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ClassicConsumer } from '../../test/classic-consumer.ts'
import { ConsumerGroupMember, HEARTBEAT_MS, SESSION_MS, stateOf } from '../../test/consumer-group-member.ts'
import { ManualClock, startBroker, WireClient, type TestBroker } from '../../test/core-fixtures.ts'
import type { Group } from '../coordinator/group-coordinator.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'

const PARTITIONS = 5
const REBALANCE_MS = 60_000
/** Rounds in which well-behaved members bring any group to rest: the silent must be dropped first. */
const ROUNDS_TO_REST = 40

const defects: unknown[] = []
const listen = (event: unknown): unknown => defects.push(event)
beforeAll(() => subscribe('millrace.broker.request.failed', listen))
afterAll(() => void unsubscribe('millrace.broker.request.failed', listen))

type Step =
  | { readonly kind: 'act' | 'join' | 'leave' | 'forget'; readonly who: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'restart' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({ kind: fc.constantFrom('act', 'act', 'act', 'act', 'join', 'leave', 'forget'), who: fc.nat(4) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(0, HEARTBEAT_MS, SESSION_MS, REBALANCE_MS) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
)

interface Actor {
  readonly id: string
  /** What it works on, if it is in the group as far as it knows and as the group knows it. */
  owned(group: Group): readonly number[]
  join(): void
  /** The next thing that its protocol has it do. */
  act(): void
  leave(): void
  /** Its process dies, and another one takes its place. */
  forget(): void
  reconnect(broker: TestBroker): void
}

class ModernActor implements Actor {
  readonly member: ConsumerGroupMember
  readonly #name: string
  #lives = 0

  constructor(broker: TestBroker, name: string) {
    this.#name = name
    this.member = new ConsumerGroupMember(broker.core, name)
  }

  get id(): string {
    return this.member.id
  }

  owned(group: Group): number[] {
    const known = group.type === 'consumer' ? group.members.get(this.id)?.epoch : undefined
    return known === this.member.epoch ? this.member.owned.flatMap(({ partitions }) => partitions) : []
  }

  join(): void {
    this.#told(this.member.join().errorCode)
  }

  act(): void {
    if (this.member.epoch === 0) return this.join()
    this.member.apply()
    this.#told(this.member.heartbeat().errorCode)
  }

  leave(): void {
    if (this.member.leave().errorCode === 0) this.member.epoch = 0
  }

  forget(): void {
    Object.assign(this.member, { id: `${this.#name}-${++this.#lives}`, epoch: 0, owned: [], assigned: [] })
  }

  reconnect(broker: TestBroker): void {
    this.member.client = new WireClient(broker.core)
  }

  #told(errorCode: number): void {
    if (errorCode !== 0) Object.assign(this.member, { epoch: 0, owned: [], assigned: [] })
  }
}

/** An eager one: it lets go of everything when it joins. */
class ClassicActor implements Actor {
  readonly consumer: ClassicConsumer
  #next: 'join' | 'sync' | 'heartbeat' = 'join'
  #joining: (() => JoinGroupResponse | null) | null = null
  #syncing: (() => SyncGroupResponse | null) | null = null

  constructor(broker: TestBroker) {
    this.consumer = new ClassicConsumer(broker.core)
  }

  get id(): string {
    return this.consumer.id
  }

  owned(group: Group): number[] {
    const { id, generation, owned } = this.consumer
    const known = group.type === 'consumer' ? group.members.get(id)?.epoch : group.members.has(id) ? group.generation : undefined
    return known === generation ? owned : []
  }

  join(): void {
    if (this.#joining !== null || this.#syncing !== null) return
    this.consumer.owned = []
    this.#joining = this.consumer.join()
    this.#listen()
  }

  act(): void {
    this.#listen()
    if (this.#joining !== null || this.#syncing !== null) return
    if (this.#next === 'join') return this.join()
    if (this.#next === 'heartbeat') return this.#told(this.consumer.heartbeat(), 'heartbeat')
    this.#syncing = this.consumer.sync()
    this.#listen()
  }

  leave(): void {
    if (this.#joining !== null || this.#syncing !== null) return
    this.consumer.leave()
    this.#told(ErrorCode.UNKNOWN_MEMBER_ID, 'join')
  }

  forget(): void {
    this.reconnect({ core: this.consumer.core })
    this.#told(ErrorCode.UNKNOWN_MEMBER_ID, 'join')
  }

  reconnect({ core }: Pick<TestBroker, 'core'>): void {
    const client = new WireClient(core)
    this.#joining = this.#syncing = null
    Object.assign(this.consumer, { core, client })
    if (this.#next === 'sync') this.#next = 'join'
  }

  #listen(): void {
    const joined = this.#joining?.()
    if (joined) {
      this.#joining = null
      this.#told(joined.errorCode, 'sync')
    }
    const synced = this.#syncing?.()
    if (synced) {
      this.#syncing = null
      this.#told(synced.errorCode, 'heartbeat')
    }
  }

  #told(errorCode: number, next: 'join' | 'sync' | 'heartbeat'): void {
    this.#next = errorCode === ErrorCode.NONE ? next : 'join'
    // Told to join again, it works on until it does.
    if (errorCode === ErrorCode.NONE || errorCode === ErrorCode.REBALANCE_IN_PROGRESS) return
    this.consumer.owned = []
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.consumer.id = ''
  }
}

class World {
  readonly storage = new MemoryStorage()
  readonly random = seededRandom()
  clock = new ManualClock()
  broker: TestBroker
  readonly actors: readonly Actor[]

  constructor() {
    this.broker = startBroker({ storage: this.storage, random: this.random, clock: this.clock })
    this.broker.createTopic('orders', PARTITIONS)
    const modern = ['m0', 'm1'].map((name) => new ModernActor(this.broker, name))
    this.actors = [...modern, ...[0, 1, 2].map(() => new ClassicActor(this.broker))]
  }

  get group(): Group | undefined {
    return this.broker.core.services.groups.group('g')
  }

  apply(action: Step): void {
    if (action.kind === 'wait') this.clock.advance(action.ms)
    else if (action.kind === 'restart') this.restart()
    else this.actors[action.who]![action.kind]()
    this.watch()
  }

  restart(): void {
    this.broker.core.abandon()
    const before = this.group
    const clock = new ManualClock()
    clock.advance(this.clock.now() - clock.now())
    this.clock = clock
    this.broker = startBroker({ storage: this.storage, random: this.random, clock })
    assert.equal(this.group?.type, before?.type)
    if (before?.type === 'consumer') assert.deepStrictEqual(stateOf(this.group as typeof before), stateOf(before))
    for (const actor of this.actors) actor.reconnect(this.broker)
  }

  watch(): void {
    const { group } = this
    if (group === undefined) return
    const owners = new Map<number, string>()
    for (const actor of this.actors) {
      for (const partition of actor.owned(group)) {
        assert(!owners.has(partition), `${owners.get(partition)} and ${actor.id} both work on ${partition}`)
        owners.set(partition, actor.id)
      }
    }
  }

  /** Those that are to stay do what they are told; the others leave. */
  settle(staying: readonly Actor[]): void {
    for (let round = 0; round < ROUNDS_TO_REST; round++) {
      for (const actor of this.actors) {
        if (staying.includes(actor)) actor.act()
        else if (round === 0) actor.leave()
        this.watch()
      }
      this.clock.advance(HEARTBEAT_MS)
      this.watch()
    }
  }
}

test('whoever comes and goes by whichever protocol, no partition has two owners, and in the end each has one, in a group of the right kind', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), fc.nat(2), fc.nat(3), (steps, modern, classic) => {
      fc.pre(modern + classic > 0)
      const world = new World()
      for (const action of steps) world.apply(action)
      const staying = [...world.actors.slice(0, modern), ...world.actors.slice(2, 2 + classic)]
      world.settle(staying)
      expect(defects).toEqual([])
      const group = world.group!
      expect([group.type, group.state, group.members.size]).toEqual([
        modern > 0 ? 'consumer' : 'classic',
        'Stable',
        staying.length,
      ])
      const owned = staying.flatMap((actor) => actor.owned(group)).toSorted((a, b) => a - b)
      expect(owned).toEqual(Array.from({ length: PARTITIONS }, (_, index) => index))
      world.restart()
    }),
    { numRuns: process.env['MILLRACE_NIGHTLY'] ? 3000 : 300 },
  )
})

function seededRandom(): () => number {
  let seed = 1
  return () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647
}
