import { Consumer, type ConsumerOptions, type TopicPartition } from '@millrace/consumer-group'
import { Producer } from '@millrace/producer'
import { SimCluster } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'

/** While a listener holds a rebalance open, everything that stays where it is goes on, and nobody is told of anything that does not concern it. */

const TOPIC = 'events'
const GROUP = 'group'
/** Three each for three members; when a fourth comes, two of them give up one. */
const PARTITIONS = 9
const SIZES = [3, 3, 3]
const ROUNDS = 3
/** Of KIP-848, on the broker; those of the classic protocol are 3 s. */
const HEARTBEAT_MS = 5_000

const PROTOCOLS = [
  ['consumer', { groupProtocol: 'consumer' }],
  ['cooperative-sticky', { partitionAssignors: ['cooperative-sticky'] }],
] satisfies [string, Partial<ConsumerOptions>][]

describe.each(PROTOCOLS)('a rebalance that is held open (%s)', (_, options) => {
  test('by a member that is still giving up a partition stops nothing that stays', async () => {
    await using life = new Life(options)
    await life.begin()
    let held: Member | undefined
    const release = Promise.withResolvers<void>()
    for (const member of life.members) {
      // Only the first one that must give up something holds on to it.
      member.onRevoked = () => {
        if (held !== undefined) return undefined
        held = member
        return release.promise
      }
    }
    const before = life.owners()
    const joiner = life.join()
    await life.clock.runUntil(() => held !== undefined)
    const [leaving] = held!.told[0]!.partitions
    // By then the heartbeats have told everyone.
    await life.clock.advance(2 * HEARTBEAT_MS)
    const kept = [...before].filter(([partition, owner]) => owner.owned().includes(partition))
    expect(kept.length).toBeGreaterThanOrEqual(7)
    for (let round = 0; round < ROUNDS; round++) {
      const value = await life.send()
      await life.clock.runUntil(() => kept.every(([partition, owner]) => owner.lastOf(partition) === value))
      await life.clock.advance(HEARTBEAT_MS)
      expect(life.state).not.toBe('Stable')
      expect(joiner.owned()).not.toContain(leaving)
      expect(life.members.flatMap((member) => member.seen.get(leaving!) ?? [])).not.toContain(value)
    }
    release.resolve()
    await life.clock.runUntil(() => joiner.owned().length === 2 && life.isReadToEnd)
    expect(life.state).toBe('Stable')
    const told = life.members.slice(0, -1).map((member) => {
      const moved = joiner.owned().filter((partition) => before.get(partition) === member)
      return { member, expected: moved.length === 0 ? [] : [{ what: 'revoked', partitions: moved }] }
    })
    for (const { member, expected } of told) expect(member.told).toEqual(expected)
    expect(told.filter(({ expected }) => expected.length === 0)).toHaveLength(1)
    expect(joiner.told.map(({ what }) => what)).not.toContain('revoked')
    expect(life.wrong()).toEqual([])
  })

  test('by a member that is still taking over a partition stops nothing that stays', async () => {
    await using life = new Life(options)
    await life.begin()
    const before = life.owners()
    let held: Member | undefined
    const release = Promise.withResolvers<void>()
    for (const member of life.members) {
      member.onAssigned = () => {
        if (held !== undefined) return undefined
        held = member
        return release.promise
      }
    }
    const leaver = life.members.pop()!
    const closed = leaver.close()
    await life.clock.runUntil(() => held !== undefined)
    const coming = held!.told[0]!.partitions
    const kept = [...before].filter(([, owner]) => owner !== leaver)
    expect(kept.length).toBe(6)
    for (let round = 0; round < ROUNDS; round++) {
      const value = await life.send()
      await life.clock.runUntil(() => kept.every(([partition, owner]) => owner.lastOf(partition) === value))
      await life.clock.advance(HEARTBEAT_MS)
      for (const one of coming) expect(held!.seen.get(one)).toBeUndefined()
    }
    release.resolve()
    await life.clock.settle(closed)
    await life.clock.runUntil(() => life.isReadToEnd)
    for (const member of life.members) expect(member.told.map(({ what }) => what)).toEqual(['assigned'])
    expect(life.wrong()).toEqual([])
  })
})

class Member {
  readonly consumer: Consumer
  /** What it was told of by its listener, since the group began. */
  readonly told: { what: 'assigned' | 'revoked' | 'lost'; partitions: number[] }[] = []
  /** Values by partition. */
  readonly seen = new Map<number, number[]>()
  onAssigned: () => Promise<void> | undefined = () => undefined
  onRevoked: () => Promise<void> | undefined = () => undefined
  readonly #loop: Promise<void>

  constructor(cluster: SimCluster, options: Partial<ConsumerOptions>) {
    const tell = (what: 'assigned' | 'revoked' | 'lost', partitions: readonly TopicPartition[]): void => {
      this.told.push({ what, partitions: indexes(partitions) })
    }
    const rebalanceListener = {
      assigned: (partitions: readonly TopicPartition[]) => {
        tell('assigned', partitions)
        return this.onAssigned()
      },
      revoked: (partitions: readonly TopicPartition[]) => {
        tell('revoked', partitions)
        return this.onRevoked()
      },
      lost: (partitions: readonly TopicPartition[]) => tell('lost', partitions),
    }
    const { bootstrapServers } = cluster
    this.consumer = new Consumer(
      { bootstrapServers, groupId: GROUP, topics: [TOPIC], autoOffsetReset: 'earliest', rebalanceListener, ...options },
      cluster.environment(),
    )
    this.#loop = this.#run()
  }

  owned(): number[] {
    return indexes(this.consumer.assignment)
  }

  lastOf(partition: number): number | undefined {
    return this.seen.get(partition)?.at(-1)
  }

  async close(): Promise<void> {
    this.consumer.stop()
    await this.consumer.close()
    await this.#loop
  }

  async #run(): Promise<void> {
    for await (const { partition, value } of this.consumer) {
      const values = this.seen.get(partition)
      if (values === undefined) this.seen.set(partition, [Number(value)])
      else values.push(Number(value))
    }
  }
}

class Life implements AsyncDisposable {
  readonly members: Member[] = []
  readonly #all: Member[] = []
  readonly #cluster: SimCluster
  readonly #options: Partial<ConsumerOptions>
  readonly #producer: Producer
  #sent = 0
  /** What was sent before the members' records count. */
  #base = 0

  constructor(options: Partial<ConsumerOptions>) {
    this.#cluster = new SimCluster({ seed: 1, config: { 'num.partitions': PARTITIONS } })
    this.#options = options
    const { bootstrapServers } = this.#cluster
    this.#producer = new Producer({ bootstrapServers, lingerMs: 0 }, this.#cluster.environment())
  }

  get clock(): SimCluster['clock'] {
    return this.#cluster.clock
  }

  get state(): string {
    return this.#cluster.broker.services.groups.group(GROUP)!.state
  }

  join(): Member {
    const member = new Member(this.#cluster, this.#options)
    this.members.push(member)
    this.#all.push(member)
    return member
  }

  /** Three members have settled and read something of every partition. */
  async begin(): Promise<void> {
    await this.send()
    for (const _ of SIZES) this.join()
    const isSettled = (): boolean => this.members.every(({ consumer }, index) => consumer.assignment.length === SIZES[index])
    await this.clock.runUntil(() => isSettled() && this.state === 'Stable' && this.isReadToEnd)
    await this.clock.advance(2 * HEARTBEAT_MS)
    await this.send()
    await this.clock.runUntil(() => this.isReadToEnd)
    for (const member of this.members) {
      member.told.length = 0
      member.seen.clear()
    }
    this.#base = this.#sent
  }

  owners(): Map<number, Member> {
    return new Map(this.members.flatMap((member) => member.owned().map((partition) => [partition, member] as const)))
  }

  /** The next number to every partition. */
  async send(): Promise<number> {
    const value = this.#sent++
    const records = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, value: String(value) }))
    await this.clock.settle(this.#producer.sendAll(TOPIC, records))
    return value
  }

  get isReadToEnd(): boolean {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)
    return partitions.every((partition) => this.#all.some((member) => member.lastOf(partition) === this.#sent - 1))
  }

  /** What of the numbers sent since the members' records count was not read exactly once, or by somebody out of order. */
  wrong(): string[] {
    const wrong: string[] = []
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const values = this.#all.flatMap(({ seen }) => seen.get(partition) ?? [])
      for (let value = this.#base; value < this.#sent; value++) {
        const times = values.filter((one) => one === value).length
        if (times !== 1) wrong.push(`${value} of partition ${partition} was read ${times} times`)
      }
      for (const { seen } of this.#all) {
        const mine = seen.get(partition) ?? []
        if (mine.some((value, index) => index > 0 && value < mine[index - 1]!))
          wrong.push(`partition ${partition} is out of order`)
      }
    }
    return wrong
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clock.settle(Promise.all([...this.members.map((member) => member.close()), this.#producer.close()]))
    this.#cluster.stop()
  }
}

function indexes(partitions: readonly TopicPartition[]): number[] {
  return partitions.map(({ partition }) => partition).toSorted((a, b) => a - b)
}
