import { ErrorCode } from '@millrace/protocol'
import { createPartitionsApi } from '@millrace/protocol/apis/create-partitions'
import fc from 'fast-check'
import assert from 'node:assert'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ConsumerGroupMember, HEARTBEAT_MS, SESSION_MS, stateOf } from '../../test/consumer-group-member.ts'
import { ManualClock, startBroker, WireClient, type TestBroker } from '../../test/core-fixtures.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'
import type { ConsumerGroup } from './consumer-group.ts'

const MEMBERS = 4
const REBALANCE_MS = 60_000
/** Rounds in which well-behaved members bring any group to rest: to drop the silent, and to hand over what moves. */
const ROUNDS_TO_REST = 20
const TOPICS = ['orders', 'returns', 'refunds']

const defects: unknown[] = []
const listen = (event: unknown): unknown => defects.push(event)
beforeAll(() => subscribe('millrace.broker.request.failed', listen))
afterAll(() => void unsubscribe('millrace.broker.request.failed', listen))

type Kind = 'join' | 'heartbeat' | 'apply' | 'lose' | 'leave' | 'away' | 'subscribe' | 'regex' | 'assignor'
type Step =
  | { readonly kind: Kind; readonly who: number; readonly what: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'grow'; readonly topic: number }
  | { readonly kind: 'restart' }

const kinds: readonly Kind[] = ['join', 'heartbeat', 'apply', 'lose', 'leave', 'away', 'subscribe', 'regex', 'assignor']
const weighted = kinds.flatMap((kind) =>
  Array<Kind>(kind === 'heartbeat' || kind === 'apply' ? 6 : kind === 'join' ? 3 : 1).fill(kind),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({ kind: fc.constantFrom(...weighted), who: fc.nat(MEMBERS - 1), what: fc.nat(7) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(0, 1000, 11_000, SESSION_MS, REBALANCE_MS) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('grow' as const), topic: fc.nat(TOPICS.length - 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
)

const SUBSCRIPTIONS = [['orders'], ['orders', 'returns'], ['returns'], [], ['orders', 'returns', 'refunds'], ['nowhere']]
const REGEXES = ['orders|returns', 're.*', '.*', 'nothing', '']

/** A group with its members, who do as they please, on a broker that may be killed and started again. */
class World {
  readonly storage = new MemoryStorage()
  readonly random = seededRandom()
  clock = new ManualClock()
  broker: TestBroker
  readonly members: ConsumerGroupMember[]
  readonly #partitions = new Map(TOPICS.map((topic, i) => [topic, i + 2]))
  readonly #epochs = new Map<string, number>()
  #groupEpoch = 0

  constructor(staticMembers: number) {
    this.broker = startBroker({ storage: this.storage, random: this.random, clock: this.clock })
    for (const [topic, count] of this.#partitions) this.broker.createTopic(topic, count)
    this.members = Array.from({ length: MEMBERS }, (_, i) => {
      const instanceId = i < staticMembers ? `instance-${i}` : null
      return new ConsumerGroupMember(this.broker.core, `member-${i}`, { subscribedTopicNames: ['orders'] }, instanceId)
    })
  }

  get group(): ConsumerGroup | undefined {
    const group = this.broker.core.services.groups.group('g')
    assert(group?.type !== 'classic')
    return group
  }

  apply(action: Step): void {
    if (action.kind === 'restart') this.restart()
    else if (action.kind === 'wait') this.clock.advance(action.ms)
    else if (action.kind === 'grow') this.#grow(TOPICS[action.topic]!)
    else this.#act(this.members[action.who]!, action.kind, action.what)
    this.watch()
  }

  #act(member: ConsumerGroupMember, kind: Kind, what: number): void {
    switch (kind) {
      case 'join':
        return this.#told(member, member.join().errorCode)
      case 'heartbeat':
        return this.#told(member, member.heartbeat().errorCode)
      case 'apply':
        return this.#take(member)
      case 'lose':
        return member.lose()
      case 'leave':
        return void member.leave()
      case 'away':
        return void (member.instanceId === null || member.leave(-2))
      case 'subscribe':
        return this.#subscribe(member, { subscribedTopicNames: SUBSCRIPTIONS[what % SUBSCRIPTIONS.length]! })
      case 'regex':
        return this.#subscribe(member, { subscribedTopicRegex: REGEXES[what % REGEXES.length]! })
      default:
        return this.#subscribe(member, { serverAssignor: what % 2 === 0 ? 'range' : 'uniform' })
    }
  }

  #subscribe(member: ConsumerGroupMember, change: ConsumerGroupMember['subscription']): void {
    member.subscription = { subscribedTopicNames: [], ...member.subscription, ...change }
    this.#told(member, member.heartbeat(change).errorCode)
  }

  /** A member that is fenced, or not known, drops everything; so does one that joins. */
  #told(member: ConsumerGroupMember, errorCode: number): void {
    if (errorCode === ErrorCode.NONE) return
    member.epoch = 0
    member.owned = member.assigned = []
  }

  /** What it takes up must be nobody else's: neither of those that are in the group, nor will it be before they let go. */
  #take(member: ConsumerGroupMember): void {
    member.apply()
    if (!this.group?.members.has(member.id)) return
    for (const other of this.members) {
      if (other === member || this.group.members.get(other.id)?.epoch !== other.epoch) continue
      const both = other.ownedNames.filter((name) => member.ownedNames.includes(name))
      assert.deepEqual(both, [], `${member.id} and ${other.id} work on the same partitions`)
    }
  }

  #grow(topic: string): void {
    const count = this.#partitions.get(topic)! + 1
    const topics = [{ name: topic, count, assignments: null }]
    const reply = this.broker.client.ask(createPartitionsApi, 3, { topics, timeoutMs: 1000, validateOnly: false })
    assert.equal(reply.results[0]!.errorCode, 0)
    this.#partitions.set(topic, count)
  }

  /** What is read back is what was there, to the letter. */
  restart(): void {
    this.broker.core.abandon()
    const before = this.group
    const clock = new ManualClock()
    clock.advance(this.clock.now() - clock.now())
    this.clock = clock
    this.broker = startBroker({ storage: this.storage, random: this.random, clock })
    if (before === undefined) assert.equal(this.group, undefined)
    else assert.deepStrictEqual(stateOf(this.group!), stateOf(before))
    for (const member of this.members) member.client = new WireClient(this.broker.core)
  }

  watch(): void {
    const { group } = this
    if (group === undefined) return
    assert(group.epoch >= this.#groupEpoch, 'the epoch of the group went back')
    assert(group.assignmentEpoch <= group.epoch, 'targets of an epoch that is not there yet')
    this.#groupEpoch = group.epoch
    const owners = new Map<string, string>()
    for (const member of group.members.values()) {
      const last = this.#epochs.get(member.id)
      // A static member that comes back begins anew under its old id.
      const isBack = last === -2 || member.epoch === -2
      assert(last === undefined || isBack || member.epoch >= last, `the epoch of ${member.id} went back`)
      assert(member.epoch <= group.epoch)
      this.#epochs.set(member.id, member.epoch)
      for (const held of [member.assigned, member.revoking]) {
        for (const [topicId, partitions] of held) {
          for (const partition of partitions.keys()) {
            const name = `${topicId}-${partition}`
            assert(!owners.has(name), `${name} is ${owners.get(name)}'s and ${member.id}'s`)
            owners.set(name, member.id)
          }
        }
      }
    }
    for (const id of this.#epochs.keys()) if (!group.members.has(id)) this.#epochs.delete(id)
  }

  /** Members that only do what they are told. */
  settle(): void {
    for (const member of this.members) {
      // Without this a static member that is still taken for alive could not come in under its id again.
      if (member.instanceId !== null) member.leave(-2)
      this.#act(member, 'join', 0)
    }
    for (let round = 0; round < ROUNDS_TO_REST; round++) {
      this.clock.advance(HEARTBEAT_MS)
      for (const member of this.members) {
        this.#act(member, member.epoch === 0 ? 'join' : 'heartbeat', 0)
        this.watch()
      }
      // The later ones first: they take up what others were told, but are still about, to give back.
      for (const member of this.members.toReversed()) this.#take(member)
    }
  }

  /** Every partition of every topic that anybody subscribes to, by name. */
  subscribed(): string[] {
    const { topics } = this.broker.core.services
    return [...this.group!.subscriptions.keys()].flatMap((name) => {
      const topic = topics.byName(name)
      return topic === undefined ? [] : topic.partitions.map((_, index) => `${topic.id}-${index}`)
    })
  }
}

test('whatever members did before, no partition has two owners, epochs only go up, a restart changes nothing, and once the members behave every partition has one', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50, size: 'max' }), fc.nat(2), (steps, staticMembers) => {
      const world = new World(staticMembers)
      for (const action of steps) world.apply(action)
      world.settle()
      expect(defects).toEqual([])
      const group = world.group!
      expect([group.state, group.members.size]).toEqual(['Stable', MEMBERS])
      const owned = world.members.flatMap((member) => member.ownedNames)
      expect(owned.toSorted()).toEqual(world.subscribed().toSorted())
      world.restart()
    }),
    { numRuns: process.env['MILLRACE_NIGHTLY'] ? 5000 : 400 },
  )
})

function seededRandom(): () => number {
  let seed = 1
  return () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647
}
