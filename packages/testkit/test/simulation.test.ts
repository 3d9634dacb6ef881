import { checkHistory, History, SimCluster, type NetworkFaults, type SeededRandom } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { replayable, replayed, seeds, Tally } from './seeds.ts'
import { consume, PARTITIONS, produce, unread, type Group, type Member } from './workload.ts'

const PRODUCERS = 2
const RECORDS_PER_PRODUCER = 80
const QUIET_LIMIT_MS = 900_000

/** From a network that is merely slow to one on which a request in fifty cuts its connection. */
const FAULTS: readonly NetworkFaults[] = [
  { delayMinMs: 0, delayMaxMs: 1, refuse: 0, cut: 0, split: 0.5 },
  { delayMinMs: 0, delayMaxMs: 30, refuse: 0.05, cut: 0.003, split: 0.2 },
  { delayMinMs: 0, delayMaxMs: 300, refuse: 0.05, cut: 0.001, split: 0 },
  { delayMinMs: 1, delayMaxMs: 10, refuse: 0.2, cut: 0.02, split: 0.2 },
]

describe('a broker with producers and a consumer group on a faulty network', () => {
  test.each(seeds)('seed %i: nothing acknowledged is lost, doubled or out of order', async (seed) => {
    const history = await replayable(seed, () => simulate(seed))
    expect(checkHistory(history, { readToEnd: true }), `replay with MILLRACE_SEED=${seed}`).toEqual([])
    expect(history.events.filter((event) => event.kind === 'acked')).toHaveLength(PRODUCERS * RECORDS_PER_PRODUCER)
  })

  test.skipIf(replayed !== undefined || seeds.length < 12)('the runs before met every kind of trouble', () => {
    for (const what of [...TROUBLES, 'refused write']) expect(met.of(what), what).toBeGreaterThan(0)
    expect(met.of('broken connection')).toBeGreaterThan(seeds.length)
  })

  test('the same troubles do double records when producers are not idempotent', async () => {
    const kinds = new Set<string>()
    for (const seed of [3, 7, 11, 15, 19]) {
      for (const anomaly of checkHistory(await simulate(seed, false), { readToEnd: true })) kinds.add(anomaly.kind)
    }
    expect(kinds).toContain('duplicate')
    expect(kinds).not.toContain('lost-write')
  })

  test('a run is a function of its seed', async () => {
    const first = await simulate(77)
    const second = await simulate(77)
    expect(second.events).toEqual(first.events)
  })
})

const TROUBLES = ['cut', 'kill', 'restart', 'power', 'full', 'join', 'leave'] as const
const met = new Tally()

/** Clients work while connections are cut and the broker is killed or loses power; then all is quiet until everything is read. */
async function simulate(seed: number, enableIdempotence = true): Promise<History> {
  const flush = seed % 3 === 0 ? 'os' : 'fsync'
  const config = { 'num.partitions': PARTITIONS, 'offsets.topic.num.partitions': 3 }
  const faults = FAULTS[seed % FAULTS.length]!
  const cluster = new SimCluster({ seed, faults, flush, config })
  const run = new Run(cluster, flush)
  run.join()
  run.join()
  const producers = Array.from({ length: PRODUCERS }, (_, index) =>
    produce(cluster, run.history, `p${index + 1}`, RECORDS_PER_PRODUCER, enableIdempotence),
  )
  const nemesis = run.disturb()
  await cluster.clock.settle(Promise.all(producers), QUIET_LIMIT_MS)
  run.trouble = false
  await cluster.clock.settle(nemesis, QUIET_LIMIT_MS)
  cluster.network.faults = { ...faults, refuse: 0, cut: 0 }
  await run.readToEnd()
  cluster.stop()
  met.add('refused write', cluster.disk.refusedWrites)
  met.add('broken connection', cluster.network.brokenConnections)
  return run.history
}

class Run {
  readonly history: History = new History()
  trouble = true
  readonly #cluster: SimCluster
  readonly #flush: 'os' | 'fsync'
  readonly #random: SeededRandom
  readonly #group: Group
  readonly #names = new Set<string>()
  readonly #ending: Promise<void>[] = []
  #members: Member[] = []
  #failure: { readonly error: unknown } | null = null

  constructor(cluster: SimCluster, flush: 'os' | 'fsync') {
    this.#cluster = cluster
    this.#flush = flush
    this.#random = cluster.random.fork()
    this.#group = {
      id: 'group',
      assignors: this.#random.pick([['range'], ['cooperative-sticky'], ['range', 'cooperative-sticky']]),
    }
  }

  join(): void {
    const name = `c${this.#names.size + 1}`
    this.#names.add(name)
    this.#members.push(this.#watched(consume(this.#cluster, this.history, name, this.#group)))
  }

  leave(index: number): void {
    const [member] = this.#members.splice(index, 1)
    this.#ending.push(member!.leave())
  }

  /** Every few seconds something happens, until the trouble is over; then the broker is up. */
  async disturb(): Promise<void> {
    while (this.trouble) {
      await this.#cluster.clock.sleep(this.#random.between(200, 4_000))
      const what = this.#random.pick(TROUBLES)
      if ((what === 'join' && this.#members.length >= 4) || (what === 'leave' && this.#members.length < 2)) continue
      met.add(what)
      if (what === 'cut') this.#cluster.cutConnections()
      else if (what === 'join') this.join()
      else if (what === 'leave') this.leave(this.#random.between(0, this.#members.length - 1))
      else if (what === 'full') await this.#fillDisk()
      else await this.#interrupt(what)
    }
  }

  /** The group and a reader of its own see every record that was acknowledged; then all leave. */
  async readToEnd(): Promise<void> {
    const { clock } = this.#cluster
    const auditor = consume(this.#cluster, this.history, 'auditor', { id: 'audit', assignors: ['range'] })
    this.#members.push(this.#watched(auditor))
    let seen = 0
    const isRead = (): boolean => {
      // It is asked after every timer, and mostly nothing was read since.
      const { length } = this.history.events
      if (length === seen) return false
      seen = length
      return unread(this.history, this.#names).size === 0 && unread(this.history, new Set([auditor.name])).size === 0
    }
    await clock
      .runUntil(() => this.#failure !== null || isRead(), QUIET_LIMIT_MS)
      .catch((error: unknown) => {
        // What nobody reads is lost: the checker says which, and where it was.
        const anomalies = checkHistory(this.history, { readToEnd: true }).map(({ kind, message }) => `${kind}: ${message}`)
        throw new Error([String(error), ...anomalies].join('\n'), { cause: error })
      })
    await clock.settle(Promise.all([...this.#ending, ...this.#members.map((member) => member.leave())]), QUIET_LIMIT_MS)
    if (this.#failure !== null) throw this.#failure.error
  }

  async #interrupt(how: 'kill' | 'restart' | 'power'): Promise<void> {
    if (how === 'restart') this.#cluster.stop()
    else if (how === 'power' && this.#flush === 'fsync') this.#cluster.losePower()
    else this.#cluster.kill()
    await this.#cluster.clock.sleep(this.#random.between(10, 3_000))
    this.#cluster.start()
  }

  /** The disk fills up in the middle of the work. Someone makes room after a while, and starts the broker again. */
  async #fillDisk(): Promise<void> {
    this.#cluster.disk.writesUntilFull = this.#random.between(0, 30)
    await this.#cluster.clock.sleep(this.#random.between(100, 5_000))
    this.#cluster.disk.writesUntilFull = Infinity
    await this.#interrupt('kill')
  }

  /** A member's loop must not throw: all these faults pass. */
  #watched(member: Member): Member {
    member.done.catch((error: unknown) => {
      this.#failure ??= { error }
    })
    return member
  }
}
