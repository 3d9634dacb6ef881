import { Producer } from '@millrace/producer'
import { readBatches } from '@millrace/records/internal'
import { checkHistory, CoordinatorLog, History, SimCluster, type NetworkFaults, type SeededRandom } from '@millrace/testkit'
import { COPIES, DEAD, drawPlan, PARTITIONS, TOPICS, VOLATILE, type GroupPlan } from './group-plan.ts'
import { GroupMember, type Scene } from './group-member.ts'
import { consumeIn } from './group-ways.ts'
import { GroupTrouble, type Change, type Stage } from './group-trouble.ts'
import type { Tally } from './seeds.ts'

const PRODUCERS = 2
const RECORDS_PER_PRODUCER = 45
const MEMBERS_MAX = 4
const NEW_PARTITIONS_MAX = 6
const INSTANCES = ['s1', 's2'] as const
/** Longer than any timeout. */
const QUIET_LIMIT_MS = 1_800_000
/** Longer than a group takes to come to rest. */
const SETTLE_LIMIT_MS = 300_000
/** Longer than the disk takes. */
const SYNC_LIMIT_MS = 1_000
/** Longer than what members do by themselves, such as a pause. */
const IDLE_LIMIT_MS = 60_000
const READ_BYTES = 1_048_576

/** From a network that is merely slow to one on which a request in fifty cuts its connection. */
const NETWORKS: readonly NetworkFaults[] = [
  { delayMinMs: 0, delayMaxMs: 1, refuse: 0, cut: 0, split: 0.5 },
  { delayMinMs: 0, delayMaxMs: 30, refuse: 0.05, cut: 0.003, split: 0.2 },
  { delayMinMs: 0, delayMaxMs: 300, refuse: 0.05, cut: 0.001, split: 0 },
  { delayMinMs: 1, delayMaxMs: 10, refuse: 0.2, cut: 0.02, split: 0.2 },
]

export interface Ran {
  readonly history: History
  readonly complaints: readonly string[]
}

/** All that is wrong with a run. */
export function findingsOf({ history, complaints }: Ran): unknown[] {
  return [...complaints, ...checkHistory(history, { copyTopics: COPIES, unreadTopics: [DEAD] })]
}

/** A group of members of all kinds reads what producers send, while all kinds of trouble come over them; then all is quiet, everything is read, and they close. */
export async function simulateGroup(seed: number, tally: Tally): Promise<Ran> {
  const isSynced = seed % 5 !== 0
  const network = NETWORKS[seed % NETWORKS.length]!
  const config = {
    'offsets.topic.num.partitions': 3,
    'group.consumer.session.timeout.ms': 10_000,
    'group.consumer.heartbeat.interval.ms': 1_000,
    'group.consumer.regex.refresh.interval.ms': 10_000,
    'auto.create.topics.enable': false,
  }
  const cluster = new SimCluster({ seed, faults: network, flush: isSynced ? 'fsync' : 'os', config })
  const plan = drawPlan(seed, cluster.random.fork())
  const run = new GroupRun(cluster, plan, tally)
  const trouble = new GroupTrouble(cluster, tally, isSynced, plan.protocol, run)
  await run.live(trouble)
  cluster.network.faults = { ...network, refuse: 0, cut: 0 }
  await run.readToEnd()
  await run.close()
  return { history: run.scene.history, complaints: run.scene.complaints }
}

class GroupRun implements Stage {
  readonly scene: Scene
  readonly #cluster: SimCluster
  readonly #plan: GroupPlan
  readonly #random: SeededRandom
  readonly #coordinator: CoordinatorLog
  readonly #ending: Promise<void>[] = []
  #members: GroupMember[] = []
  #joined = 0

  constructor(cluster: SimCluster, plan: GroupPlan, tally: Tally) {
    this.#cluster = cluster
    this.#plan = plan
    this.#random = cluster.random.fork()
    const history = new History()
    this.#coordinator = new CoordinatorLog(history)
    const look = (): void => {
      if (cluster.isUp) this.#coordinator.read(cluster.broker)
    }
    this.scene = { cluster, history, tally, complaints: [], isWild: true, look }
    for (const kind of [plan.protocol, plan.assignors.join(), `${plan.remoteAssignor}`]) tally.add(`group: ${kind}`)
    for (const topic of Object.keys(PARTITIONS)) this.#createTopic(topic)
  }

  look(): void {
    this.scene.look()
  }

  /** Members and producers work until both the trouble and the sending are over. */
  async live(trouble: GroupTrouble): Promise<void> {
    const { clock } = this.#cluster
    this.#join(null)
    this.#join(this.#random.pick([null, ...INSTANCES]))
    const producing = Promise.all(Array.from({ length: PRODUCERS }, (_, index) => this.#produce(`p${index + 1}`)))
    const disturbing = trouble.run()
    await clock.settle(Promise.race([producing, disturbing]), QUIET_LIMIT_MS)
    trouble.isOver = true
    await clock.settle(disturbing, QUIET_LIMIT_MS)
    await clock.settle(producing, QUIET_LIMIT_MS)
  }

  /** False when it is not possible now. */
  change(what: Change): boolean {
    const { random, alive } = { random: this.#random, alive: this.#alive() }
    if (what === 'join') return alive.length < MEMBERS_MAX && this.#join(this.#freeInstance(random.chance(0.3)))
    if (what === 'new partitions') return this.#addPartition()
    if (what === 'topic recreated') return this.#recreate()
    if (alive.length === 0) return this.#join(null)
    const member = random.pick(alive)
    switch (what) {
      case 'freeze':
        this.#freeze(member)
        return true
      case 'subscription':
        member.subscribe(random.chance(0.4))
        return true
      case 'seek':
        return member.seekBack()
      case 'static return':
        return this.#return(alive)
      default:
        if (alive.length < 2) return false
        this.#end(member, what)
        return true
    }
  }

  /** The group sees every record; each partition has one owner, and no more happens. */
  async readToEnd(): Promise<void> {
    const { clock } = this.#cluster
    this.scene.isWild = false
    for (const { process } of this.#members) if (process.isFrozen) process.thaw()
    this.#createTopic(VOLATILE)
    if (this.#alive().length === 0) this.#join(null)
    for (const member of this.#alive()) member.subscribe(true)
    await clock.advance(SYNC_LIMIT_MS)
    let seen = 0
    const isRead = (): boolean => {
      // It is asked after every timer, and mostly nothing was handled since.
      const { length } = this.scene.history.events
      if (length === seen && seen > 0) return false
      seen = length
      if (this.#alive().length === 0) this.#join(null)
      return this.#unread().length === 0
    }
    await clock.runUntil(isRead, QUIET_LIMIT_MS).catch((error: unknown) => {
      for (const one of this.#unread().slice(0, 5)) this.scene.complaints.push(`not read: ${one}`)
      for (const { name, plan, consumer } of this.#alive())
        this.scene.complaints.push(
          `${name} ${plan.protocol} ${plan.way} has ${consumer.assignment.map(({ topic, partition }) => `${topic}-${partition}`).join()}`,
        )
      this.scene.complaints.push(String(error))
    })
    await clock
      .runUntil(() => this.#isSettled(), SETTLE_LIMIT_MS)
      .catch((error: unknown) => {
        const who = this.#alive().map(({ name, consumer }) => `${name}: ${consumer.assignment.length}`)
        this.scene.complaints.push(`the group does not come to rest: ${who.join()}: ${String(error)}`)
      })
  }

  /** Everybody closes; then nothing is left. */
  async close(): Promise<void> {
    const { clock } = this.#cluster
    for (const member of this.#alive()) this.#ending.push(member.leave(this.#random.chance(0.7)))
    await clock.settle(Promise.all(this.#ending), QUIET_LIMIT_MS)
    await clock.advance(SYNC_LIMIT_MS)
    this.scene.look()
    for (const { topicId, value, partition, offset } of this.#stored())
      this.scene.history.add('stored', { topicId, value, place: { partition, offset } })
    this.#cluster.stop()
    // What is under way arrives, at no one.
    await clock.advance(IDLE_LIMIT_MS)
    if (clock.pendingTimers > 0) this.scene.complaints.push(`${clock.pendingTimers} timers are left`)
  }

  #alive(): GroupMember[] {
    return this.#members.filter(({ isAlive }) => isAlive)
  }

  #join(instanceId: string | null): boolean {
    if (instanceId !== null) this.scene.tally.add('static member')
    this.#members.push(new GroupMember(this.scene, this.#plan, `c${++this.#joined}`, instanceId, consumeIn))
    return true
  }

  #freeInstance(isStatic: boolean): string | null {
    const taken = new Set(this.#alive().map(({ plan }) => plan.instanceId))
    return (isStatic ? INSTANCES.find((one) => !taken.has(one)) : undefined) ?? null
  }

  #end(member: GroupMember, what: 'leave' | 'close' | 'crash' | 'machine crash'): void {
    if (what === 'crash') member.crash('process')
    else if (what === 'machine crash') member.crash('machine')
    else {
      if (member.process.isFrozen) member.process.thaw()
      this.#ending.push(member.leave(what === 'leave'))
    }
  }

  #freeze(member: GroupMember): void {
    const { clock } = this.#cluster
    member.process.freeze()
    clock.after(this.#random.pick([this.#random.between(100, 3_000), this.#random.between(8_000, 30_000)]), () =>
      member.process.thaw(),
    )
  }

  /** A static member ends in one way or another, and another life of it follows soon, perhaps with another protocol. */
  #return(alive: readonly GroupMember[]): boolean {
    const statics = alive.filter(({ plan }) => plan.instanceId !== null)
    if (statics.length === 0) return this.#join(this.#random.pick(INSTANCES))
    const member = this.#random.pick(statics)
    this.#end(member, this.#random.pick(['leave', 'close', 'crash', 'machine crash'] as const))
    const again = (): void => void (this.scene.isWild && this.#join(member.plan.instanceId))
    this.#cluster.clock.after(this.#random.pick([0, this.#random.between(10, 5_000), 15_000]), again)
    return true
  }

  #createTopic(name: string): boolean {
    const { broker, clock } = this.#cluster
    const numPartitions = PARTITIONS[name]!
    const topic = { name, numPartitions, replicationFactor: 1, assignments: [], configs: new Map<string, string>() }
    // Refused while the disk is full.
    return 'id' in broker.services.controller.createTopic(topic, false, clock.now())
  }

  #addPartition(): boolean {
    if (!this.#cluster.isUp) return false
    const { controller, image } = this.#cluster.broker.services
    const count = image.topicByName(TOPICS[0])!.partitions.length + 1
    if (count > NEW_PARTITIONS_MAX) return false
    return controller.createPartitions(TOPICS[0], count, null, false, this.#cluster.clock.now()) === null
  }

  /** Gone at once; back at once, or after a while. */
  #recreate(): boolean {
    if (!this.#cluster.isUp) return false
    const { controller, image } = this.#cluster.broker.services
    const topic = image.topicByName(VOLATILE)
    if (topic === undefined || controller.deleteTopic(topic, this.#cluster.clock.now()) !== null) return false
    this.scene.history.add('deleted', { topic: VOLATILE })
    if (this.#random.chance(0.3)) this.#createTopic(VOLATILE)
    else this.#createLater()
    return true
  }

  #createLater(): void {
    this.#cluster.clock.after(this.#random.between(100, 6_000), () => {
      if (this.scene.isWild && (!this.#cluster.isUp || !this.#createTopic(VOLATILE))) this.#createLater()
    })
  }

  /** Sends records with pauses, some awaited, some not, and writes down what became of each. */
  async #produce(name: string): Promise<void> {
    const { cluster, history } = this.scene
    const random = cluster.random.fork()
    const { bootstrapServers } = cluster
    const options = { clientId: name, lingerMs: random.pick([0, 5, 50]), deliveryTimeoutMs: 900_000, maxBlockMs: 900_000 }
    const producer = new Producer({ bootstrapServers, ...options, metadataMaxAgeMs: 5_000 }, cluster.environment())
    const pending: Promise<void>[] = []
    for (let index = 0; index < RECORDS_PER_PRODUCER; index++) {
      const value = `${name}-${index}`
      history.send(name, value)
      const topic = random.pick(TOPICS)
      const key = random.chance(0.7) ? `key-${random.between(0, 9)}` : null
      const sent = producer.send({ topic, key, value }).then(
        ({ partition, offset }) => history.acked(name, value, { partition: `${topic}-${partition}`, offset }),
        (error: unknown) => history.unknown(name, value, error),
      )
      pending.push(sent)
      if (random.chance(0.2)) await sent
      if (random.chance(0.3)) await cluster.clock.sleep(random.between(1, 4_000))
    }
    await Promise.all(pending)
    await producer.close()
  }

  *#stored(): Iterable<{ topicId: string; value: string; partition: string; offset: number }> {
    for (const topic of this.#cluster.broker.services.topics.all()) {
      if (topic.name.startsWith('__')) continue
      for (const { index, log } of topic.partitions) {
        for (let offset = 0; offset < log.highWatermark;) {
          const { records, nextOffset } = log.read({ offset, maxBytes: READ_BYTES, minOneBatch: true })
          for (const batch of readBatches(records)) {
            for (const record of batch) {
              yield {
                topicId: topic.id,
                value: record.value!.toString(),
                partition: `${topic.name}-${index}`,
                offset: record.offset,
              }
            }
          }
          offset = nextOffset
        }
      }
    }
  }

  #unread(): string[] {
    const handled = new Set<string>()
    for (const event of this.scene.history.events)
      if (event.kind === 'handled') handled.add(`${event.place.partition} ${event.value}`)
    const unread: string[] = []
    for (const { value, partition, offset } of this.#stored())
      if (!partition.startsWith(`${DEAD}-`) && !handled.has(`${partition} ${value}`))
        unread.push(`${value} at ${partition}@${offset}`)
    return unread
  }

  /** Whether every partition has one owner among those who live. */
  #isSettled(): boolean {
    if (this.#alive().length === 0) return false
    const owned = this.#alive().flatMap(({ consumer }) =>
      consumer.assignment.map(({ topic, partition }) => `${topic}-${partition}`),
    )
    const { topics } = this.#cluster.broker.services
    const all = [...topics.all()].filter(({ name }) => !name.startsWith('__') && name !== DEAD)
    const wanted = all.flatMap(({ name, partitions }) => partitions.map(({ index }) => `${name}-${index}`))
    return owned.length === wanted.length && new Set(owned).size === wanted.length
  }
}
