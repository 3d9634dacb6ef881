import type { SeededRandom, SimCluster } from '@millrace/testkit'
import type { GroupPlan } from './group-plan.ts'
import type { Tally } from './seeds.ts'

type Door = SimCluster['broker']['door']
type Fault = ReturnType<Door['faults']['add']>
type FaultOptions = Parameters<Door['faults']['add']>[0]

/** What a member asks of the coordinator and of partition leaders. */
const GROUP_APIS = [
  'JoinGroup',
  'SyncGroup',
  'Heartbeat',
  'LeaveGroup',
  'ConsumerGroupHeartbeat',
  'OffsetCommit',
  'OffsetFetch',
] as const
const OTHER_APIS = ['Fetch', 'ListOffsets', 'Metadata', 'FindCoordinator'] as const

const COORDINATOR_MOVES = ['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_LOAD_IN_PROGRESS']
const FETCH_ERRORS = [
  'NOT_LEADER_OR_FOLLOWER',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'KAFKA_STORAGE_ERROR',
  'OFFSET_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
]
const LIST_ERRORS = ['NOT_LEADER_OR_FOLLOWER', 'LEADER_NOT_AVAILABLE', 'OFFSET_NOT_AVAILABLE', 'FENCED_LEADER_EPOCH']

type Draw = (random: SeededRandom) => Pick<FaultOptions, 'api' | 'answer'>

/** What is done to requests of one kind, under the name that it is counted by. */
const FAULTS: Readonly<Record<string, Draw>> = {
  ...Object.fromEntries(
    [...GROUP_APIS, ...OTHER_APIS].map((api) => [`${api} lost`, (random) => ({ api, answer: lost(random) })] as [string, Draw]),
  ),
  ...Object.fromEntries(
    GROUP_APIS.filter((api) => api !== 'LeaveGroup').map(
      (api) =>
        [`${api}: coordinator moves`, (random) => ({ api, answer: { error: random.pick(COORDINATOR_MOVES) } })] as [string, Draw],
    ),
  ),
  'put out': (random) => ({
    api: random.pick(['Heartbeat', 'SyncGroup', 'JoinGroup', 'ConsumerGroupHeartbeat']),
    answer: { error: 'UNKNOWN_MEMBER_ID' },
  }),
  'put out of the generation': () => ({ api: 'Heartbeat', answer: { error: 'ILLEGAL_GENERATION' } }),
  'put out of the epoch': () => ({ api: 'ConsumerGroupHeartbeat', answer: { error: 'FENCED_MEMBER_EPOCH' } }),
  'commit refused': () => ({ api: 'OffsetCommit', answer: { error: 'UNKNOWN_MEMBER_ID' } }),
  'commit in a rebalance': () => ({ api: 'OffsetCommit', answer: { error: 'REBALANCE_IN_PROGRESS' } }),
  'commit of another generation': () => ({ api: 'OffsetCommit', answer: { error: 'ILLEGAL_GENERATION' } }),
  'commit of another epoch': () => ({ api: 'OffsetCommit', answer: { error: 'STALE_MEMBER_EPOCH' } }),
  'unstable offsets': () => ({ api: 'OffsetFetch', answer: { error: 'UNSTABLE_OFFSET_COMMIT' } }),
  'fetch error': (random) => ({ api: 'Fetch', answer: { error: random.pick(FETCH_ERRORS) } }),
  election: () => ({ api: 'Fetch', answer: { electLeader: 1 } }),
  'slow fetch': (random) => ({ api: 'Fetch', answer: { delayMs: random.pick([50, 1_500]) } }),
  throttle: (random) => ({ api: 'Fetch', answer: { throttleTimeMs: random.pick([50, 1_500]) } }),
  'list offsets error': (random) => ({ api: 'ListOffsets', answer: { error: random.pick(LIST_ERRORS) } }),
}

/** What only members of one protocol are ever told, so that no other knows what to make of it. */
const ONLY: Readonly<Record<string, GroupPlan['protocol']>> = {
  'commit in a rebalance': 'classic',
  'commit of another generation': 'classic',
  'commit of another epoch': 'consumer',
}

/** What happens to the broker. */
const EVENTS = ['cut', 'restart', 'kill', 'power loss', 'full disk'] as const
type Event = (typeof EVENTS)[number]
/** What happens to members, and to topics: who plays the group does it. */
const CHANGES = [
  'join',
  'leave',
  'close',
  'crash',
  'machine crash',
  'freeze',
  'static return',
  'subscription',
  'seek',
  'new partitions',
  'topic recreated',
] as const
export type Change = (typeof CHANGES)[number]

export const TROUBLES: readonly string[] = [...EVENTS, ...CHANGES, ...Object.keys(FAULTS)]
const DISTURBANCES_MAX = 60
const FAULTS_AT_ONCE = 3

export interface Stage {
  /** Does what concerns members and topics; false when that is not possible now. */
  change(what: Change): boolean
  /** The broker goes away next. */
  look(): void
}

/** Some kinds of trouble, at the times that the seed says. */
export class GroupTrouble {
  isOver = false
  readonly #cluster: SimCluster
  readonly #random: SeededRandom
  readonly #tally: Tally
  readonly #isSynced: boolean
  readonly #stage: Stage
  readonly #kinds: readonly string[]
  readonly #set: { readonly kind: string; readonly fault: Fault }[] = []

  /**
   * @param isSynced whether what was acknowledged survives a power loss
   * @param protocol of the group
   * @param stage where members and topics are
   */
  constructor(cluster: SimCluster, tally: Tally, isSynced: boolean, protocol: GroupPlan['protocol'], stage: Stage) {
    this.#cluster = cluster
    this.#random = cluster.random.fork()
    this.#tally = tally
    this.#isSynced = isSynced
    this.#stage = stage
    const some = (kinds: readonly string[], count: number): string[] =>
      Array.from({ length: count }, () => this.#random.pick(kinds))
    const faults = Object.keys(FAULTS).filter((kind) => (ONLY[kind] ?? protocol) === protocol)
    // Members come and go in every run.
    this.#kinds = ['join', 'leave', ...some(CHANGES, 4), ...some(EVENTS, this.#random.between(0, 3)), ...some(faults, 5)]
  }

  /** Disturbs until it is over; then the broker is up, healthy and without faults. */
  async run(): Promise<void> {
    for (let left = DISTURBANCES_MAX; left > 0 && !this.isOver; left--) {
      await this.#cluster.clock.sleep(this.#random.between(100, 3_000))
      const kind = this.#random.pick(this.#kinds)
      if (EVENTS.includes(kind as Event)) await this.#happen(kind as Event)
      else if (!CHANGES.includes(kind as Change)) this.#fault(kind)
      else if (this.#stage.change(kind as Change)) this.#tally.add(kind)
    }
    this.#cluster.broker.door.faults.clear()
    for (const { kind, fault } of this.#set) this.#tally.add(kind, fault.hits)
    this.#tally.add('refused write', this.#cluster.disk.refusedWrites)
    this.#tally.add('broken connection', this.#cluster.network.brokenConnections)
  }

  #fault(kind: string): void {
    for (let left = this.#random.between(1, FAULTS_AT_ONCE); left > 0; left--) {
      const options = {
        ...FAULTS[kind]!(this.#random),
        times: this.#random.pick([1, 1, 2, 6]),
        skip: this.#random.pick([0, 0, 1, 3]),
      }
      this.#set.push({ kind, fault: this.#cluster.broker.door.faults.add(options) })
    }
  }

  async #happen(what: Event): Promise<void> {
    this.#tally.add(what)
    if (what === 'cut') return this.#cluster.cutConnections()
    if (what === 'full disk') {
      this.#cluster.disk.writesUntilFull = this.#random.between(0, 20)
      await this.#cluster.clock.sleep(this.#random.between(100, 5_000))
      this.#cluster.disk.writesUntilFull = Infinity
    }
    this.#stage.look()
    if (what === 'restart') this.#cluster.stop()
    else if (what === 'power loss' && this.#isSynced) {
      this.#tally.add('power loss with torn writes')
      this.#cluster.losePower()
    } else this.#cluster.kill()
    await this.#cluster.clock.sleep(this.#random.pick([this.#random.between(10, 3_000), this.#random.between(10, 15_000)]))
    this.#cluster.start()
  }
}

/** A reply that comes late, in part or not at all. */
function lost(random: SeededRandom): FaultOptions['answer'] {
  return random.pick<FaultOptions['answer']>([
    'never',
    { delayMs: random.pick([100, 3_000]) },
    { cut: 'before' },
    { cut: 'after' },
    { cutReplyAfterBytes: random.between(0, 60) },
  ])
}
