import { Consumer, type ConsumerRecord, type RebalanceListener, type TopicPartition } from '@millrace/consumer-group'
import { SimProcess, type CrashKind, type History, type Place, type SeededRandom, type SimCluster } from '@millrace/testkit'
import {
  drawMember,
  GROUP,
  MAX_POLL_INTERVAL_MS,
  PATTERN,
  RETRY,
  TOPICS,
  VOLATILE,
  type GroupPlan,
  type MemberPlan,
} from './group-plan.ts'
import type { Tally } from './seeds.ts'

/** What members report to. */
export interface Scene {
  readonly cluster: SimCluster
  readonly history: History
  readonly tally: Tally
  readonly complaints: string[]
  /** False once everything shall come to its end: from then on members do nothing out of the ordinary. */
  isWild: boolean
  /** Takes down what the coordinator has written by now. */
  look(): void
}

/** What may end a static member: another one has its name, or its own earlier life has not ended yet. */
const STATIC_ENDINGS: ReadonlySet<unknown> = new Set(['FENCED_INSTANCE_ID', 'UNRELEASED_INSTANCE_ID'])
/** What may meet a topic that is being deleted. */
const PASSING: ReadonlySet<unknown> = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_ID'])
const ENDINGS_MAX = 50
/** What a member may await of its consumer before that counts as stuck. */
const COMMIT_CODES: ReadonlySet<unknown> = new Set(['NOT_ASSIGNED', 'CONSUMER_CLOSED', 'API_TIMED_OUT'])

/** Consumes as the member is meant to, until that ends or fails. */
export type Consume = (member: GroupMember) => Promise<void>

/** One consumer in a process of its own, from its making to its end. */
export class GroupMember {
  readonly name: string
  readonly plan: MemberPlan
  readonly process: SimProcess
  readonly consumer: Consumer
  readonly random: SeededRandom
  readonly scene: Scene
  /** Settles when its loop has ended for good. */
  readonly done: Promise<void>
  /** It ended by itself. */
  hasEnded = false
  isLeaving = false
  /** Partition → how often it came to this member: what was read then is told from what is read now. */
  readonly #holdings = new Map<string, number>()
  readonly #held = new Set<string>()

  constructor(scene: Scene, group: GroupPlan, name: string, instanceId: string | null, consume: Consume) {
    const { cluster, history, tally } = scene
    this.scene = scene
    this.name = name
    this.random = cluster.random.fork()
    this.plan = drawMember(group, this.random, instanceId)
    this.process = new SimProcess(cluster.clock, cluster.environment())
    const { bootstrapServers } = cluster
    const options = { bootstrapServers, clientId: name, ...this.plan.options, rebalanceListener: this.#listener() }
    this.consumer = new Consumer(options, this.process.environment)
    history.add('member', { consumer: name, identity: instanceId ?? name, group: GROUP, order: this.plan.order })
    for (const what of [this.plan.protocol, this.plan.way, `order ${this.plan.order}`, `commits ${this.plan.commits}`])
      tally.add(what)
    if (this.plan.options.topics instanceof RegExp) tally.add('pattern')
    this.#watch()
    this.done = this.#live(consume)
  }

  get isAlive(): boolean {
    return !this.hasEnded && !this.isLeaving && !this.process.isCrashed
  }

  holds(partition: string): boolean {
    return this.#held.has(partition)
  }

  /** Tells one time that a partition was here from another. */
  holding(partition: string): number {
    return this.#holdings.get(partition) ?? 0
  }

  /** Ends its loop after what it has in hand, or in the middle of it, and leaves. */
  async leave(inOrder: boolean): Promise<void> {
    this.isLeaving = true
    if (inOrder) this.consumer.stop()
    if (inOrder && this.random.chance(0.5)) await this.done
    await this.consumer.close()
    await this.done
    const { pendingTimers, openConnections } = this.process
    if (pendingTimers > 0) this.scene.complaints.push(`${this.name} is closed, and ${pendingTimers} of its timers are left`)
    if (openConnections > 0)
      this.scene.complaints.push(`${this.name} is closed, and ${openConnections} of its connections are open`)
    this.#crashed()
  }

  crash(kind: CrashKind): void {
    this.process.crash(kind)
    this.#crashed()
  }

  polled(record: ConsumerRecord): void {
    const { key } = record
    this.scene.history.add('polled', {
      consumer: this.name,
      value: valueOf(record),
      place: placeOf(record),
      ...(key === null ? {} : { key: key.toString() }),
    })
  }

  handled(record: ConsumerRecord): void {
    this.scene.history.add('handled', { consumer: this.name, value: valueOf(record), place: placeOf(record) })
  }

  /** What handling takes. Now and then it does something else meanwhile, and now and then it takes too long. */
  async work(record: TopicPartition): Promise<void> {
    const { random, scene } = this
    if (!scene.isWild) return
    if (random.chance(0.15)) await this.process.sleep(random.between(1, 150))
    if (random.chance(0.004)) {
      scene.tally.add('stalled handler')
      await this.process.sleep(random.between(MAX_POLL_INTERVAL_MS + 1_000, 2 * MAX_POLL_INTERVAL_MS))
    }
    if (random.chance(0.02)) void this.#pauseForAWhile(record)
  }

  /** After a record, whose holding was this when it was handed out. */
  async commit(record: ConsumerRecord, holding: number): Promise<void> {
    const { commits } = this.plan
    if (commits === 'automatic' || commits === 'on revoke') return
    // What was handled in an earlier life of the partition here would put the group back.
    if (!this.holds(nameOf(record)) || this.holding(nameOf(record)) !== holding) return
    if (commits === 'all' && !this.random.chance(0.3)) return
    const committed = this.#quietly(() => (commits === 'all' ? this.consumer.commit() : this.consumer.commit(record)))
    if (commits !== 'unawaited') await committed
  }

  /** Goes back to where it was, or to the beginning. Nothing is skipped by that. */
  seekBack(): boolean {
    const { assignment } = this.consumer
    if (assignment.length === 0) return false
    const partition = this.random.pick(assignment)
    // Where it was in a topic that is gone may lie ahead in the one that has its name now.
    if (this.random.chance(0.3) || partition.topic === VOLATILE) {
      this.#sought(partition, 0)
      this.consumer.seekToBeginning([partition])
      return true
    }
    const polls = this.scene.history.events.filter((event) => event.kind === 'polled' && event.consumer === this.name)
    const places = polls
      .map((event) => (event as { place: Place }).place)
      .filter((place) => place.partition === nameOf(partition))
    if (places.length === 0) return false
    const { offset } = this.random.pick(places)
    this.#sought(partition, offset)
    this.consumer.seek(partition, offset)
    return true
  }

  /** Only some of the topics, or all of them. */
  subscribe(isAll: boolean): void {
    const { random } = this
    const all = [...TOPICS, RETRY]
    const some = all.filter(() => random.chance(0.6))
    const isPattern = this.plan.options.topics instanceof RegExp
    this.consumer.subscribe(isAll || some.length === 0 ? (isPattern ? PATTERN : all) : some)
  }

  /** The history says that all of this consumer's partitions begin at another place. */
  rewound(): void {
    for (const partition of this.#held) this.scene.history.add('sought', { consumer: this.name, partition, offset: null })
  }

  async #live(consume: Consume): Promise<void> {
    for (let endings = 0; ; endings++) {
      try {
        await consume(this)
        if (this.isLeaving) break
      } catch (error) {
        if (!this.passes(error)) break
        await this.process.sleep(1_000)
        if (endings > ENDINGS_MAX) return void this.scene.complaints.push(`${this.name} fails for ever: ${String(error)}`)
      }
      if (this.isLeaving) break
      this.rewound()
    }
    this.hasEnded = true
    // Whoever ended by itself is closed, as an application would.
    if (!this.isLeaving) await this.leave(false)
  }

  /** Whether the same may be tried again after this error. Whatever nobody could expect is complained of. */
  passes(error: unknown): boolean {
    const { code } = error as { code?: unknown }
    if (this.isLeaving && code === 'CONSUMER_CLOSED') return false
    this.scene.tally.add(`loop ended: ${String(code)}`)
    if (PASSING.has(code)) return true
    if (this.plan.instanceId === null || !STATIC_ENDINGS.has(code))
      this.scene.complaints.push(`${this.name}: its loop ended: ${error instanceof Error ? error.stack : String(error)}`)
    return false
  }

  #watch(): void {
    const { history, tally } = this.scene
    const { consumer, name } = this
    consumer.on('assigned', ({ generationId }) => {
      this.scene.look()
      history.add('owns', { consumer: name, generation: generationId, partitions: consumer.assignment.map(nameOf) })
    })
    consumer.on('revoked', ({ partitions }) => this.#release(partitions))
    consumer.on('lost', ({ partitions, reason }) => {
      tally.add('lost partitions')
      if (partitions.length === 0) this.scene.complaints.push(`${name} lost nothing: ${reason}`)
      this.#release(partitions)
    })
    consumer.on('committed', ({ offsets }) => {
      this.scene.look()
      for (const { topic, partition, offset } of offsets)
        history.add('committed', { group: GROUP, place: { partition: `${topic}-${partition}`, offset } })
    })
    consumer.on('commitFailed', () => tally.add('commit failed'))
    consumer.on('zombie', ({ cause }) => tally.add(`zombie: ${cause}`))
    consumer.on('rebalanceListenerFailed', () => tally.add('listener failed'))
  }

  #listener(): RebalanceListener {
    const linger = async (): Promise<void> => {
      const { random, scene } = this
      if (!scene.isWild) return
      if (random.chance(0.2)) await this.process.sleep(random.between(1, 3_000))
      if (random.chance(0.02)) {
        scene.tally.add('listener too slow')
        await this.process.sleep(MAX_POLL_INTERVAL_MS + 5_000)
      }
      if (random.chance(0.02)) throw new Error('a listener of the application fails')
    }
    return {
      assigned: async (partitions) => {
        this.scene.look()
        for (const partition of partitions) this.#hold(nameOf(partition))
        await linger()
      },
      revoked: async (partitions) => {
        const before = partitions.map((partition) => this.holding(nameOf(partition)))
        try {
          if (this.plan.commits === 'on revoke' && !this.isLeaving) await this.#quietly(() => this.consumer.commit())
          await linger()
        } finally {
          // One that took too long was not waited for, and the partition may be here again.
          this.#release(partitions.filter((partition, index) => this.holding(nameOf(partition)) === before[index]))
        }
      },
      lost: async (partitions) => {
        this.#release(partitions)
        await linger()
      },
    }
  }

  #hold(partition: string): void {
    this.#held.add(partition)
    this.#holdings.set(partition, this.holding(partition) + 1)
    this.scene.history.add('assigned', { consumer: this.name, partition })
  }

  #release(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions.map(nameOf)) {
      if (this.#held.delete(partition)) this.scene.history.add('released', { consumer: this.name, partition })
    }
  }

  #crashed(): void {
    this.#held.clear()
    this.scene.history.add('crashed', { consumer: this.name })
  }

  #sought(partition: TopicPartition, offset: number): void {
    this.scene.history.add('sought', { consumer: this.name, partition: nameOf(partition), offset })
  }

  /** Pausing is no trouble for anybody: the member keeps its partitions, and goes on with what it had. */
  async #pauseForAWhile(which: TopicPartition): Promise<void> {
    const isOurs = (): boolean =>
      !this.isLeaving && this.consumer.assignment.some((one) => one.topic === which.topic && one.partition === which.partition)
    if (!isOurs()) return
    this.scene.tally.add('pause')
    this.consumer.pause([which])
    await this.process.sleep(this.random.between(1, 5_000))
    if (isOurs()) this.consumer.resume([which])
  }

  async #quietly(action: () => Promise<void>): Promise<void> {
    try {
      await action()
      this.scene.tally.add('explicit commit')
    } catch (error) {
      const { code, name } = error as { code?: unknown; name?: string }
      if (name === 'CommitError' || COMMIT_CODES.has(code)) this.scene.tally.add('explicit commit refused')
      else this.scene.complaints.push(`${this.name}: a commit failed: ${String(error)}`)
    }
  }
}

export function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

export function placeOf(record: TopicPartition & { readonly offset: number }): Place {
  return { partition: nameOf(record), offset: record.offset }
}

export function valueOf({ value }: ConsumerRecord): string {
  return value!.toString()
}
