import { checkHistory, History, type Place } from '@millrace/testkit'
import type { MemberEvent } from './member-events.ts'

/** What one member, from the start of its process to its end, reported. */
export interface Account {
  readonly name: string
  readonly events: readonly MemberEvent[]
  /** When its process was gone; null while it lives. */
  readonly endedAt: number | null
  /** In what order it reads a partition: as it is stored, or only the records of one key. */
  readonly order: 'partition' | 'key'
}

export interface Acknowledged {
  readonly value: string
  readonly partition: number
  readonly offset: number
}

/** What the group had committed at a time, by partition; partitions without an offset are left out. */
export interface Sample {
  readonly at: number
  readonly offsets: ReadonlyMap<number, number>
}

/** All that is known of a group: its members' reports, what was produced, and what was seen to be committed. */
export interface Ledger {
  readonly accounts: readonly Account[]
  readonly produced: readonly Acknowledged[]
  readonly samples: readonly Sample[]
}

/** Everything that a group must not do; none of it, if it is sound. */
export function anomalies(ledger: Ledger): string[] {
  return [...historyAnomalies(ledger), ...doubleOwners(ledger.accounts), ...forgottenCommits(ledger.samples)]
}

export interface Repeat {
  /** `partition@offset`. */
  readonly place: string
  readonly by: string
  /** Who had read it before, and had given up its partition without having committed that. */
  readonly before: string
}

/** Records that were read more than once. */
export function repeats({ accounts }: Pick<Ledger, 'accounts'>): Repeat[] {
  const reads = accounts.flatMap(({ name, events }) =>
    events.flatMap((event) =>
      event.name === 'record_data' ? [{ at: event.timestamp, place: `${event.partition}@${event.offset}`, by: name }] : [],
    ),
  )
  const seen = new Map<string, string>()
  const repeated: Repeat[] = []
  for (const { place, by } of reads.toSorted((one, other) => one.at - other.at)) {
    const before = seen.get(place)
    if (before !== undefined) repeated.push({ place, by, before })
    seen.set(place, by)
  }
  return repeated
}

const GROUP = 'group'
const TOPIC = 'topic'

/** Lost or doubled records, order within an ownership, records of partitions that are another's, and commits that go back or say more than was read. */
function historyAnomalies({ accounts, produced, samples }: Ledger): string[] {
  const history = new History()
  for (const { value } of produced) history.send('producer', value)
  for (const { value, partition, offset } of produced) {
    history.acked('producer', value, placeOf(partition, offset))
    history.add('stored', { topicId: TOPIC, value, place: placeOf(partition, offset) })
  }
  for (const { name, order } of accounts) history.add('member', { consumer: name, identity: name, group: GROUP, order })
  for (const { act } of inTime(accounts, samples)) act(history)
  return checkHistory(history).map(({ kind, message }) => `${kind}: ${message}`)
}

function placeOf(partition: number, offset: number): Place {
  return { partition: nameOf(partition), offset }
}

function nameOf(partition: number): string {
  return `${TOPIC}-${partition}`
}

interface Timed {
  readonly at: number
  readonly act: (history: History) => void
}

/** One clock stamped them all. Of one member they stay in their order, and a sample comes after what happened in its millisecond. */
function inTime(accounts: readonly Account[], samples: readonly Sample[]): Timed[] {
  const timed = accounts.flatMap(({ name, events }) =>
    events.map((event): Timed => ({ at: event.timestamp, act: (history) => report(history, name, event) })),
  )
  for (const { at, offsets } of samples) {
    for (const [partition, offset] of offsets) {
      const written = { group: GROUP, topicId: TOPIC, place: placeOf(partition, offset) }
      timed.push({ at, act: (history) => history.add('wrote', written) })
    }
  }
  return timed.toSorted((one, other) => one.at - other.at)
}

function report(history: History, consumer: string, event: MemberEvent): void {
  if (event.name === 'partitions_assigned')
    for (const { partition } of event.partitions) history.add('assigned', { consumer, partition: nameOf(partition) })
  if (event.name === 'partitions_revoked')
    for (const { partition } of event.partitions) history.add('released', { consumer, partition: nameOf(partition) })
  if (event.name !== 'record_data') return
  const { partition, offset, value, key } = event
  const read = { consumer, value, place: placeOf(partition, offset) }
  history.add('polled', key === null ? read : { ...read, key })
  history.add('handled', read)
}

interface Ownership {
  readonly member: string
  readonly partition: number
  readonly from: number
  /** Infinity while it lasts. */
  readonly to: number
}

/** Two members never own a partition at once: whoever gives it up says so before another one hears of it, or is gone. */
function doubleOwners(accounts: readonly Account[]): string[] {
  const all = accounts.flatMap(ownerships).toSorted((one, other) => one.from - other.from)
  const found: string[] = []
  for (const [index, later] of all.entries()) {
    for (const earlier of all.slice(0, index)) {
      if (earlier.partition !== later.partition || earlier.member === later.member || earlier.to <= later.from) continue
      found.push(
        `two owners: ${later.member} took ${later.partition} at ${later.from}, which ${earlier.member} had from ${earlier.from} to ${earlier.to}`,
      )
    }
  }
  return found
}

function ownerships({ name, events, endedAt }: Account): Ownership[] {
  const ended: Ownership[] = []
  const began = new Map<number, number>()
  const end = (partition: number, to: number): void => {
    const from = began.get(partition)
    if (from !== undefined) ended.push({ member: name, partition, from, to })
    began.delete(partition)
  }
  for (const event of events) {
    if (event.name === 'partitions_assigned')
      for (const { partition } of event.partitions) if (!began.has(partition)) began.set(partition, event.timestamp)
    if (event.name === 'partitions_revoked') for (const { partition } of event.partitions) end(partition, event.timestamp)
  }
  for (const partition of began.keys()) end(partition, endedAt ?? Infinity)
  return ended
}

/** Offsets that were there and are not any more. */
function forgottenCommits(samples: readonly Sample[]): string[] {
  const found: string[] = []
  const known = new Set<number>()
  for (const { at, offsets } of samples) {
    for (const partition of known) if (!offsets.has(partition)) found.push(`commit forgotten: that of ${partition} at ${at}`)
    for (const partition of offsets.keys()) known.add(partition)
  }
  return found
}
