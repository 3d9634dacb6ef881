import { setTimeout as wait } from 'node:timers/promises'
import { Admin } from '@millrace/admin'
import { Producer } from '@millrace/producer'
import { KafkaError } from '@millrace/protocol'
import { onTestFinished } from 'vitest'
import { until } from '../scenarios/clients.ts'
import { uniqueName, type SuiteBroker } from '../suite.ts'
import type { Account, Acknowledged, Ledger, Sample } from './ledger.ts'
import type { RunSettings } from './member-events.ts'
import type { MemberProcess } from './member-process.ts'
import { startMember, type Kind, type MemberOptions, type Way } from './ways.ts'

export const PARTITIONS = 6
const KEYS = 5
/** Between two rounds of one record per partition, and between two looks at what is committed. */
const PRODUCE_INTERVAL_MS = 20
const SAMPLE_INTERVAL_MS = 100

interface Place {
  readonly kind: Kind
  way: Way
  run: RunSettings | null
  /** How often it was started. */
  starts: number
  member: MemberProcess | null
}

/** A group of one member of each kind on a topic that is written to all the time, and all that becomes of it. */
export class MixedGroup {
  readonly name: string
  readonly topic: string
  readonly admin: Admin
  readonly #bootstrapServers: string
  readonly #isStatic: boolean
  readonly #places: Place[]
  readonly #members: { readonly member: MemberProcess; readonly order: Account['order'] }[] = []
  readonly #produced: Acknowledged[] = []
  readonly #samples: Sample[] = []
  readonly #ending = new AbortController()
  #value: (sequence: number) => string = String
  #traffic: Promise<unknown> = Promise.resolve()
  /** Why the traffic ended early. */
  #broken: unknown = null

  constructor(broker: SuiteBroker, way: Way, kinds: readonly Kind[], isStatic = false) {
    this.#bootstrapServers = broker.bootstrapServers
    this.#isStatic = isStatic
    this.name = uniqueName('mixed-group')
    this.topic = uniqueName('mixed-topic')
    this.#places = kinds.map((kind) => ({ kind, way, run: null, starts: 0, member: null }))
    this.admin = new Admin({ bootstrapServers: this.#bootstrapServers })
    onTestFinished(async () => {
      this.#ending.abort()
      await this.#traffic
      await this.admin.close()
    })
  }

  get ledger(): Ledger {
    const accounts = this.#members.map(({ member: { name, events, endedAt }, order }) => ({ name, events, endedAt, order }))
    return { accounts, produced: this.#produced, samples: this.#samples }
  }

  get produced(): readonly Acknowledged[] {
    return this.#produced
  }

  /** Our member consumes by `run` from its next start on; `value` makes the values of records of their numbers. */
  handleByRun(run: RunSettings, value: (sequence: number) => string): void {
    for (const place of this.#places) if (place.kind === 'ours') place.run = run
    this.#value = value
  }

  /** Starts the traffic and all members, and waits until they share the topic. */
  async start(): Promise<void> {
    await this.admin.createTopics([{ name: this.topic, numPartitions: PARTITIONS }])
    this.#traffic = Promise.all([this.#produce(), this.#sample()]).catch((error: unknown) => (this.#broken = error))
    await Promise.all(this.#places.map((place) => this.#start(place)))
    await this.untilShared()
  }

  /** Ends the member of a kind and starts it again at once, until all share the topic again. */
  async restart(kind: Kind, how: 'stop' | 'kill'): Promise<void> {
    const place = this.#place(kind)
    await place.member![how]()
    await this.#start(place)
    await this.untilShared()
  }

  /** Ends the member of a kind, lets the others share the topic, and starts it again in another way. */
  async move(kind: Kind, way: Way): Promise<void> {
    const place = this.#place(kind)
    await place.member!.stop()
    await this.untilShared()
    place.way = way
    await this.#start(place)
    await this.untilShared()
  }

  /** Until each partition has one owner, each member its share of them, and each has read of what was written since. */
  async untilShared(): Promise<void> {
    const isShared = (): boolean => {
      const owned = this.#alive().map((member) => member.owned)
      const all = new Set(owned.flatMap((one) => [...one]))
      return all.size === PARTITIONS && owned.every((one) => one.size === PARTITIONS / owned.length)
    }
    await this.#until(isShared, 'all members to share the topic')
    const before = new Map(this.#alive().map((member) => [member, member.recordCount + PARTITIONS]))
    await this.#until(() => [...before].every(([member, count]) => member.recordCount >= count), 'all members to read')
    if (!isShared()) await this.untilShared()
  }

  /** Ends the traffic, then the members when all is read; gives back what the group has committed, by partition. */
  async finish(): Promise<Map<number, number | null>> {
    this.#ending.abort()
    await this.#traffic
    await this.#until(() => this.#unread() === 0, 'everything to be read')
    for (const place of this.#places) await place.member!.stop()
    const { values } = await this.admin.fetchGroupOffsets(this.name)
    return new Map([...values.values()].map(({ partition, offset }) => [partition, offset]))
  }

  /** The end of each partition by what was acknowledged. */
  ends(): Map<number, number> {
    const ends = new Map<number, number>()
    for (const { partition, offset } of this.#produced) ends.set(partition, Math.max(offset + 1, ends.get(partition) ?? 0))
    return ends
  }

  #place(kind: Kind): Place {
    return this.#places.find((place) => place.kind === kind)!
  }

  async #start(place: Place): Promise<void> {
    const { kind, way, run } = place
    const options: MemberOptions = {
      bootstrapServers: this.#bootstrapServers,
      topic: this.topic,
      group: this.name,
      way,
      instanceId: this.#isStatic ? `${this.name}-${kind}` : null,
      run,
    }
    place.member = await startMember(kind, `${kind}#${++place.starts}`, options)
    this.#members.push({ member: place.member, order: run === null ? 'partition' : 'key' })
  }

  #alive(): MemberProcess[] {
    return this.#places.flatMap(({ member }) => (member === null || member.endedAt !== null ? [] : [member]))
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const check = (): boolean => {
      if (this.#broken !== null) throw this.#broken
      for (const { member } of this.#members) member.checkAlive()
      return condition()
    }
    try {
      await until(check, what)
    } catch (cause) {
      const owned = this.#alive().map((member) => `${member.name}: ${[...member.owned].join(' ')}; ${member.recordCount} records`)
      throw new Error(
        `${String(cause)}\n${owned.join('\n')}\n${this.#alive()
          .map((member) => member.said)
          .join('\n')}`,
        { cause },
      )
    }
  }

  #unread(): number {
    const read = new Set(
      this.#members.flatMap(({ member }) =>
        member.events.flatMap((event) => (event.name === 'record_data' ? [event.value] : [])),
      ),
    )
    return this.#produced.filter(({ value }) => !read.has(value)).length
  }

  async #produce(): Promise<void> {
    await using producer = new Producer({ bootstrapServers: this.#bootstrapServers })
    for (let sequence = 0; !this.#ending.signal.aborted; sequence += PARTITIONS) {
      const records = Array.from({ length: PARTITIONS }, (_, partition) => ({
        partition,
        key: `key ${(sequence / PARTITIONS) % KEYS}`,
        value: this.#value(sequence + partition),
      }))
      const stored = await Promise.all(records.map((record) => producer.send({ topic: this.topic, ...record })))
      for (const [partition, { offset }] of stored.entries())
        this.#produced.push({ value: records[partition]!.value, partition, offset })
      await wait(PRODUCE_INTERVAL_MS)
    }
  }

  /** Looks at what is committed until the end, past errors that pass: brokers are restarted meanwhile. */
  async #sample(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      try {
        const { values } = await this.admin.fetchGroupOffsets(this.name)
        const offsets = [...values.values()].flatMap(({ partition, offset }) =>
          offset === null ? [] : [[partition, offset] as const],
        )
        this.#samples.push({ at: Date.now(), offsets: new Map(offsets) })
      } catch (error) {
        if (!(error instanceof KafkaError && error.retriable)) throw error
      }
      await wait(SAMPLE_INTERVAL_MS)
    }
  }
}
