import type { SeededRandom, SimCluster } from '@millrace/testkit'
import type { Tally } from './seeds.ts'

type Door = SimCluster['broker']['door']
type Fault = ReturnType<Door['faults']['add']>
type FaultOptions = Parameters<Door['faults']['add']>[0]
type Answer = FaultOptions['answer']

/** Errors after which the producer tries again. */
const PASSING = [
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNKNOWN_TOPIC_ID',
  'KAFKA_STORAGE_ERROR',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'REQUEST_TIMED_OUT',
  'NETWORK_EXCEPTION',
  'CORRUPT_MESSAGE',
]

/** Errors that end a batch. */
export const REFUSALS = ['INVALID_RECORD', 'TOPIC_AUTHORIZATION_FAILED', 'POLICY_VIOLATION'] as const

/** What is done to requests of one kind, under the name that it is counted by. */
const FAULTS: Readonly<Record<string, (random: SeededRandom) => Pick<FaultOptions, 'api' | 'answer'>>> = {
  'slow produce': (random) => ({ api: 'Produce', answer: { delayMs: random.pick([20, 400, 2_000]) } }),
  throttle: (random) => ({ api: 'Produce', answer: { throttleTimeMs: random.pick([50, 1_500]) } }),
  'produce never answered': () => ({ api: 'Produce', answer: 'never' }),
  'produce cut before': () => ({ api: 'Produce', answer: { cut: 'before' } }),
  'produce cut after': () => ({ api: 'Produce', answer: { cut: 'after' } }),
  'produce reply cut': (random) => ({ api: 'Produce', answer: { cutReplyAfterBytes: random.between(0, 80) } }),
  'passing error': (random) => ({ api: 'Produce', answer: { error: random.pick(PASSING) } }),
  election: () => ({ api: 'Produce', answer: { electLeader: 1 } }),
  leaderless: () => ({ api: 'Produce', answer: { error: 'LEADER_NOT_AVAILABLE' } }),
  refusal: (random) => ({ api: 'Produce', answer: { error: random.pick(REFUSALS) } }),
  'too large': () => ({ api: 'Produce', answer: { error: 'MESSAGE_TOO_LARGE' } }),
  'metadata error': (random) => ({
    api: 'Metadata',
    answer: { error: random.pick(['LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION', 'REQUEST_TIMED_OUT']) },
  }),
  'metadata lost': (random) => ({ api: 'Metadata', answer: lost(random) }),
  'producer id error': (random) => ({
    api: 'InitProducerId',
    answer: { error: random.pick(['COORDINATOR_LOAD_IN_PROGRESS', 'NOT_COORDINATOR', 'REQUEST_TIMED_OUT']) },
  }),
  'producer id lost': (random) => ({ api: 'InitProducerId', answer: lost(random) }),
  'producer id refused': () => ({ api: 'InitProducerId', answer: { error: 'CLUSTER_AUTHORIZATION_FAILED' } }),
  'versions lost': (random) => ({ api: 'ApiVersions', answer: lost(random) }),
}

/** Those that need no fault of the broker's. */
const EVENTS = ['cut', 'restart', 'kill', 'power loss', 'full disk'] as const
type Event = (typeof EVENTS)[number]

export const TROUBLES: readonly string[] = [...EVENTS, ...Object.keys(FAULTS)]

/** After these a batch may be stored although the producer was not told so. */
const AMBIGUOUS = [
  ...EVENTS,
  'produce never answered',
  'produce cut after',
  'produce reply cut',
  'slow produce',
  'throttle',
  'passing error',
]
/** No broker finds a batch too large that it has stored, unless it was told another limit since. */
const UNLIKELY = 'too large'
/** They hit requests that are made once, at the beginning. */
const INITIAL = ['metadata error', 'metadata lost', 'producer id error', 'producer id lost', 'versions lost']
/** What leaves gaps in sequences, and doubts about what is stored. */
const HURRIED = [
  'refusal',
  'produce cut before',
  'produce cut after',
  'produce never answered',
  'slow produce',
  'passing error',
  'cut',
]
const DISTURBANCES_MAX = 40

/** Some kinds of trouble, at the times that the seed says. */
export class Trouble {
  isOver = false
  lostPower = false
  readonly #cluster: SimCluster
  readonly #random: SeededRandom
  readonly #kinds: readonly string[]
  readonly #isSynced: boolean
  readonly #intervalMs: number
  readonly #tally: Tally
  readonly #set: { readonly kind: string; readonly fault: Fault }[] = []

  /**
   * @param isReliable whether the network cuts no connections by itself
   * @param isHurried whether produce requests are to fail, often
   */
  constructor(cluster: SimCluster, tally: Tally, isSynced: boolean, isReliable: boolean, isHurried: boolean) {
    this.#cluster = cluster
    this.#random = cluster.random.fork()
    this.#tally = tally
    this.#isSynced = isSynced
    const recurring = TROUBLES.filter((kind) => kind !== 'producer id refused')
    const isCalm = isReliable && this.#random.chance(0.3)
    const mixed = recurring.filter((kind) => (isCalm ? !AMBIGUOUS.includes(kind) : kind !== UNLIKELY))
    const from = isHurried ? HURRIED : mixed
    this.#intervalMs = isHurried ? 150 : 1_500
    this.#kinds = Array.from({ length: this.#random.between(2, 7) }, () => this.#random.pick(from))
  }

  /** Whether nothing happened that could leave the outcome of a request unknown. */
  get isUnambiguous(): boolean {
    return !this.#kinds.some((kind) => AMBIGUOUS.includes(kind))
  }

  /** Makes the first connections and requests of clients go wrong. */
  begin(): void {
    for (const kind of INITIAL) if (this.#random.chance(0.15)) this.#fault(kind, this.#random.between(1, 3))
    if (this.#random.chance(0.1)) this.#fault('producer id refused', 1)
  }

  /** Disturbs until it is over; then the broker is up, healthy and without faults. */
  async run(): Promise<void> {
    for (let left = DISTURBANCES_MAX; left > 0 && !this.isOver; left--) {
      await this.#cluster.clock.sleep(this.#random.between(20, this.#intervalMs))
      const kind = this.#random.pick(this.#kinds)
      if (EVENTS.includes(kind as Event)) await this.#happen(kind as Event)
      else this.#fault(kind, this.#random.pick([1, 1, 2, 6]))
    }
    this.#cluster.broker.door.faults.clear()
    for (const { kind, fault } of this.#set) this.#tally.add(kind, fault.hits)
    this.#tally.add('refused write', this.#cluster.disk.refusedWrites)
    this.#tally.add('broken connection', this.#cluster.network.brokenConnections)
  }

  #fault(kind: string, times: number): void {
    const options = { ...FAULTS[kind]!(this.#random), times, skip: this.#random.pick([0, 0, 1, 3]) }
    this.#set.push({ kind, fault: this.#cluster.broker.door.faults.add(options) })
  }

  async #happen(what: Event): Promise<void> {
    this.#tally.add(what)
    if (what === 'cut') return this.#cluster.cutConnections()
    if (what === 'full disk') {
      this.#cluster.disk.writesUntilFull = this.#random.between(0, 20)
      await this.#cluster.clock.sleep(this.#random.between(100, 3_000))
      this.#cluster.disk.writesUntilFull = Infinity
    }
    if (what === 'restart') this.#cluster.stop()
    else if (what === 'power loss' && this.#isSynced) {
      this.lostPower = true
      this.#cluster.losePower()
    } else this.#cluster.kill()
    await this.#cluster.clock.sleep(this.#random.between(10, 2_000))
    this.#cluster.start()
  }
}

/** A reply that comes late, in part or not at all. */
function lost(random: SeededRandom): Answer {
  return random.pick<Answer>([
    'never',
    { delayMs: random.pick([100, 3_000]) },
    { cut: 'before' },
    { cut: 'after' },
    { cutReplyAfterBytes: random.between(0, 60) },
  ])
}
