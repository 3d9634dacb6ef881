import assert from 'node:assert'
import type { Assignment } from './assignment.ts'
import type { AssignorInput, AssignorMember } from './assignor.ts'
import { hashSetOrder, uuidHash } from './java-order.ts'

interface Unassigned {
  readonly topicId: string
  readonly partition: number
}

/**
 * Gives all members, which subscribe to the same topics, the same number of partitions, give or take one, and moves as few as it
 * can. Kafka's UniformHomogeneousAssignmentBuilder, decision by decision.
 */
export function assignHomogeneous({ members, partitionCount }: AssignorInput): ReadonlyMap<string, Assignment> {
  const topics = members[0]?.topics ?? new Set<string>()
  if (topics.size === 0) return new Map()
  const held = new Map<string, Set<number>>()
  for (const { current } of members) {
    for (const [topicId, partitions] of current) {
      let all = held.get(topicId)
      if (all === undefined) held.set(topicId, (all = new Set()))
      for (const partition of partitions) all.add(partition)
    }
  }
  const free: Unassigned[] = []
  let total = 0
  for (const topicId of hashSetOrder([...topics], uuidHash)) {
    const count = partitionCount(topicId)
    const assigned = held.get(topicId)
    for (let partition = 0; partition < count; partition++) if (!assigned?.has(partition)) free.push({ topicId, partition })
    total += count
  }
  const { kept, room } = keep(members, topics, total, free)
  let next = 0
  for (const { id, quota } of room) {
    const mine = kept.get(id)!
    for (let left = quota; left > 0 && next < free.length; left--) {
      const { topicId, partition } = free[next++]!
      let partitions = mine.get(topicId)
      if (partitions === undefined) mine.set(topicId, (partitions = new Set()))
      partitions.add(partition)
    }
  }
  assert(next === free.length, `${free.length - next} partitions were left unassigned`)
  return kept
}

interface Kept {
  readonly kept: Map<string, Map<string, Set<number>>>
  /** Members that can take more, and how many. */
  readonly room: { readonly id: string; readonly quota: number }[]
}

/** Leaves each member what it had, up to its share; what is above goes to `free`. */
function keep(members: readonly AssignorMember[], topics: ReadonlySet<string>, total: number, free: Unassigned[]): Kept {
  const share = Math.trunc(total / members.length)
  /** Members that must have one more than the share. */
  let extras = total % members.length
  const result: Kept = { kept: new Map(), room: [] }
  for (const [index, { id, current }] of members.entries()) {
    let takesExtra = extras > 0
    let quota = share + (takesExtra ? 1 : 0)
    const mine = new Map<string, Set<number>>()
    for (const [topicId, partitions] of current) {
      if (!topics.has(topicId)) continue
      const stays = new Set<number>()
      for (const partition of partitions) {
        if (quota > 0) {
          quota--
          stays.add(partition)
        } else {
          free.push({ topicId, partition })
        }
      }
      if (stays.size > 0) mine.set(topicId, stays)
    }
    // Another member may need the extra one to keep what it has; the last members have no choice.
    if (quota > 0 && takesExtra && members.length - index > extras) {
      quota--
      takesExtra = false
    }
    if (quota > 0) result.room.push({ id, quota })
    if (takesExtra) extras--
    result.kept.set(id, mine)
  }
  return result
}
