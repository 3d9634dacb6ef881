import type { AssignorName, ConsumerOptions } from '@millrace/consumer-group'
import type { Order, SeededRandom } from '@millrace/testkit'

export const GROUP = 'group'
/** What producers send to. Partitions come to the first; the last is deleted, and created anew, at any time. */
export const TOPICS = ['events', 'payments', 'volatile'] as const
export const PARTITIONS: Readonly<Record<string, number>> = { events: 3, payments: 2, volatile: 2, retry: 1, dead: 1 }
export const VOLATILE = 'volatile'
/** Where `run` sends what fails. */
export const RETRY = 'retry'
export const DEAD = 'dead'
export const COPIES: readonly string[] = [RETRY, DEAD]
/** As a pattern, what the group reads. */
export const PATTERN: RegExp = /^(events|payments|volatile|retry)$/

export const MAX_POLL_INTERVAL_MS = 20_000

export type Way = 'records' | 'batches' | 'partitions' | 'readable' | 'nodeReadable' | 'run' | 'runBatches'
const WAYS: readonly Way[] = ['records', 'batches', 'partitions', 'readable', 'nodeReadable', 'run', 'run', 'run', 'runBatches']

export type Commits = 'automatic' | 'each' | 'unawaited' | 'all' | 'on revoke'

/** What the members of one group have in common. */
export interface GroupPlan {
  /** `mixed`: members of both, so that the group moves between them as they come and go. */
  readonly protocol: 'classic' | 'consumer' | 'mixed'
  /** Members must have one in common. */
  readonly assignors: readonly AssignorName[]
  readonly remoteAssignor: string | null
}

const ASSIGNORS: readonly (readonly AssignorName[])[] = [
  ['range'],
  ['roundrobin'],
  ['sticky'],
  ['cooperative-sticky'],
  ['range', 'cooperative-sticky'],
  ['sticky', 'roundrobin'],
]

/** Neighbouring seeds differ in the protocol, so that every assignor meets every protocol. */
export function drawPlan(seed: number, random: SeededRandom): GroupPlan {
  return {
    protocol: (['classic', 'consumer', 'mixed'] as const)[seed % 3]!,
    assignors: random.pick(ASSIGNORS),
    remoteAssignor: random.pick([null, 'uniform', 'range']),
  }
}

/** What one member does. */
export interface MemberPlan {
  readonly protocol: 'classic' | 'consumer'
  readonly way: Way
  readonly order: Order
  readonly commits: Commits
  readonly instanceId: string | null
  readonly options: Partial<ConsumerOptions>
}

/** @param instanceId null: a dynamic member */
export function drawMember(group: GroupPlan, random: SeededRandom, instanceId: string | null): MemberPlan {
  const protocol = group.protocol === 'mixed' ? random.pick(['classic', 'consumer'] as const) : group.protocol
  const way = random.pick(WAYS)
  const order = orderOf(way, random)
  const commits = random.pick<Commits>(['automatic', 'automatic', 'automatic', 'each', 'unawaited', 'all', 'on revoke'])
  const classic: Partial<ConsumerOptions> = {
    partitionAssignors: group.assignors,
    sessionTimeoutMs: 10_000,
    heartbeatIntervalMs: 1_000,
  }
  const consumer: Partial<ConsumerOptions> = {
    groupProtocol: 'consumer',
    ...(group.remoteAssignor === null ? {} : { groupRemoteAssignor: group.remoteAssignor }),
  }
  return {
    protocol,
    way,
    order,
    commits,
    instanceId,
    options: {
      groupId: GROUP,
      topics: random.chance(0.25) ? PATTERN : [...TOPICS, RETRY],
      autoOffsetReset: 'earliest',
      enableAutoCommit: commits === 'automatic' || random.chance(0.5),
      autoCommitIntervalMs: random.pick([100, 1_000, 5_000]),
      maxPollIntervalMs: MAX_POLL_INTERVAL_MS,
      maxPollRecords: random.pick([1, 3, 500]),
      fetchMaxWaitMs: random.pick([100, 500]),
      maxPartitionFetchBytes: random.pick([100, 1_048_576]),
      metadataMaxAgeMs: random.pick([1_000, 5_000, 60_000]),
      requestTimeoutMs: random.pick([2_000, 5_000]),
      ...(instanceId === null ? {} : { groupInstanceId: instanceId }),
      ...(protocol === 'classic' ? classic : consumer),
    },
  }
}

function orderOf(way: Way, random: SeededRandom): Order {
  if (way === 'batches') return 'batch'
  if (way === 'runBatches') return random.pick(['batch', 'none'] as const)
  return way === 'run' ? random.pick(['partition', 'key', 'none'] as const) : 'partition'
}
