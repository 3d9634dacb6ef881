import { checkHistory, History } from '@millrace/testkit'
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
  return [
    ...historyAnomalies(ledger),
    ...ledger.accounts.flatMap(keyOrderAnomalies),
    ...ledger.accounts.flatMap(strayRecords),
    ...doubleOwners(ledger.accounts),
    ...commitsGoneBack(ledger.samples),
  ]
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

/** Lost or doubled records, order within an ownership, and commits of what nobody had read. */
function historyAnomalies({ accounts, produced, samples }: Ledger): string[] {
  const history = new History()
  for (const { value } of produced) history.send('producer', value)
  for (const { value, partition, offset } of produced) history.acked('producer', value, { partition: String(partition), offset })
  for (const { name } of accounts) history.member(name, 'group')
  for (const { act } of inTime(accounts, samples)) act(history)
  return checkHistory(history, { readToEnd: true }).map(({ kind, message }) => `${kind}: ${message}`)
}

interface Timed {
  readonly at: number
  readonly act: (history: History) => void
}

/** One clock stamped them all. Of one member they stay in their order, and a sample comes after what happened in its millisecond. */
function inTime(accounts: readonly Account[], samples: readonly Sample[]): Timed[] {
  const timed: Timed[] = []
  for (const { name, events, order } of accounts) {
    for (const event of events) {
      const at = event.timestamp
      if (event.name === 'partitions_assigned')
        for (const { partition } of event.partitions)
          timed.push({ at, act: (history) => history.assigned(name, String(partition)) })
      if (event.name !== 'record_data') continue
      const { partition, offset, value } = event
      timed.push({
        at,
        act: (history) => {
          // Its order is that of its keys, which is looked at apart.
          if (order === 'key') history.assigned(name, String(partition))
          history.polled(name, value, { partition: String(partition), offset })
        },
      })
    }
  }
  for (const { at, offsets } of samples)
    for (const [partition, offset] of offsets)
      timed.push({ at, act: (history) => history.committed('group', { partition: String(partition), offset }) })
  return timed.toSorted((one, other) => one.at - other.at)
}

/** Within one ownership the records of a key come in their order. */
function keyOrderAnomalies({ name, events, order }: Account): string[] {
  if (order !== 'key') return []
  const found: string[] = []
  const last = new Map<string, number>()
  for (const event of events) {
    if (event.name === 'partitions_assigned') {
      const assigned = event.partitions.map(({ partition }) => `${partition} `)
      for (const key of last.keys()) if (assigned.some((prefix) => key.startsWith(prefix))) last.delete(key)
    }
    if (event.name !== 'record_data') continue
    const key = `${event.partition} ${event.key}`
    const before = last.get(key) ?? -1
    if (event.offset <= before)
      found.push(`key order: ${name} handled ${event.partition}@${event.offset} after ${before} of its key`)
    last.set(key, event.offset)
  }
  return found
}

/** A member hands out records of its own partitions only. */
function strayRecords({ name, events }: Account): string[] {
  const found: string[] = []
  const owned = new Set<number>()
  for (const event of events) {
    if (event.name === 'partitions_assigned') for (const { partition } of event.partitions) owned.add(partition)
    if (event.name === 'partitions_revoked') for (const { partition } of event.partitions) owned.delete(partition)
    if (event.name === 'record_data' && !owned.has(event.partition))
      found.push(`stray: ${name} handed out ${event.partition}@${event.offset}, which was not its partition`)
  }
  return found
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

function commitsGoneBack(samples: readonly Sample[]): string[] {
  const found: string[] = []
  const highest = new Map<number, number>()
  for (const { at, offsets } of samples) {
    for (const [partition, before] of highest) {
      const now = offsets.get(partition)
      if (now === undefined || now < before) found.push(`commit gone back: ${partition} from ${before} to ${now} at ${at}`)
    }
    for (const [partition, offset] of offsets) highest.set(partition, Math.max(offset, highest.get(partition) ?? -1))
  }
  return found
}
