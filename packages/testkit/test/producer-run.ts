import { SimCluster, type NetworkFaults } from '@millrace/testkit'
import { readBatches } from '@millrace/records/internal'
import { checkLedger, type Finding, type StoredValues, type World } from './producer-check.ts'
import { Ledger } from './producer-ledger.ts'
import { PARTITIONS, ProducerLife } from './producer-life.ts'
import { REFUSALS, Trouble } from './producer-trouble.ts'
import type { Tally } from './seeds.ts'

const PRODUCERS = 2
/** Longer than any timeout of the producers. */
const QUIET_LIMIT_MS = 3_600_000
/** Longer than the disk takes. */
const SYNC_LIMIT_MS = 1_000
const READ_BYTES = 1_048_576

/** From a network that is merely slow to one on which a request in fifty cuts its connection. */
const NETWORKS: readonly NetworkFaults[] = [
  { delayMinMs: 0, delayMaxMs: 1, refuse: 0, cut: 0, split: 0.5 },
  { delayMinMs: 0, delayMaxMs: 1, refuse: 0, cut: 0, split: 0 },
  { delayMinMs: 0, delayMaxMs: 30, refuse: 0.05, cut: 0.005, split: 0.2 },
  { delayMinMs: 0, delayMaxMs: 300, refuse: 0.05, cut: 0.002, split: 0 },
  { delayMinMs: 1, delayMaxMs: 10, refuse: 0.2, cut: 0.02, split: 0.2 },
]

export interface Ran {
  readonly ledger: Ledger
  readonly log: StoredValues
  readonly world: World
}

/**
 * Producers of all kinds of options send in all ways while all kinds of trouble come over them; then all is quiet and they close.
 * @param idempotent null: as the seed says
 */
export async function simulateProducers(seed: number, tally: Tally, idempotent: boolean | null = null): Promise<Ran> {
  const isSynced = seed % 3 !== 0
  const network = NETWORKS[seed % NETWORKS.length]!
  const maxMessageBytes = seed % 4 === 0 ? 260 : 1_048_588
  const config = { 'num.partitions': PARTITIONS, 'message.max.bytes': maxMessageBytes }
  const cluster = new SimCluster({ seed, faults: network, flush: isSynced ? 'fsync' : 'os', config })
  const { clock } = cluster
  const ledger = new Ledger(() => clock.now())
  const isHurried = seed % 3 === 1 && idempotent === null
  const trouble = new Trouble(cluster, tally, isSynced, network.cut === 0, isHurried)
  trouble.begin()
  const lives = Array.from(
    { length: PRODUCERS },
    (_, index) => new ProducerLife(cluster, ledger, `p${index + 1}`, idempotent, isHurried),
  )
  const disturbing = trouble.run()
  const living = Promise.all(lives.map((life) => life.live()))
  await clock.settle(Promise.race([living, disturbing]), QUIET_LIMIT_MS)
  trouble.isOver = true
  await clock.settle(disturbing, QUIET_LIMIT_MS)
  cluster.network.faults = { ...network, refuse: 0, cut: 0 }
  await clock.settle(living, QUIET_LIMIT_MS)
  for (const life of lives) life.inspect(tally)
  // What nobody waits for reaches the disk, too.
  await clock.advance(SYNC_LIMIT_MS)
  const log = readLogs(cluster)
  cluster.stop()
  // What is under way arrives, at no one.
  await clock.advance(network.delayMaxMs + 1)
  if (clock.pendingTimers > 0) ledger.complaints.push(`${clock.pendingTimers} timers are left`)
  const world = {
    lostPower: trouble.lostPower,
    refusals: new Set([...REFUSALS, 'MESSAGE_TOO_LARGE', 'CLUSTER_AUTHORIZATION_FAILED']),
    refusalsAreCertain: trouble.isUnambiguous && network.cut === 0,
  }
  return { ledger, log, world }
}

/** All that is wrong with a run. */
export function findingsOf({ ledger, log, world }: Ran): (Finding | string)[] {
  return [...ledger.complaints, ...checkLedger(ledger, log, world)]
}

/** What the broker's logs hold. */
export function readLogs(cluster: SimCluster): StoredValues {
  const stored = new Map<string, string[]>()
  for (const topic of cluster.broker.services.topics.all()) {
    for (const { index, log } of topic.partitions) {
      const values: string[] = []
      for (let offset = 0; offset < log.highWatermark;) {
        const { records, nextOffset } = log.read({ offset, maxBytes: READ_BYTES, minOneBatch: true })
        for (const batch of readBatches(records)) for (const { value } of batch) values.push(value!.toString().split(' ')[0]!)
        offset = nextOffset
      }
      if (values.length !== log.logEndOffset)
        throw new Error(`${topic.name}-${index} ends at ${log.logEndOffset}, read ${values.length}`)
      stored.set(`${topic.name}-${index}`, values)
    }
  }
  return stored
}
