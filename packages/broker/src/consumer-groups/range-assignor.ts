import type { Assignment } from './assignment.ts'
import type { AssignorInput, AssignorMember } from './assignor.ts'
import { compareStrings } from './java-order.ts'

/** Static members first, by instance id: these are the ones that come back under the same name. */
function compareMembers(a: AssignorMember, b: AssignorMember): number {
  if (a.instanceId !== null && b.instanceId !== null) return compareStrings(a.instanceId, b.instanceId)
  if (a.instanceId !== null) return -1
  if (b.instanceId !== null) return 1
  return compareStrings(a.id, b.id)
}

interface TopicRange {
  subscribers: number
  /** The first partition that is not given yet. */
  next: number
}

/**
 * Gives each member a contiguous range of each topic, the first members one more where it does not divide evenly: topics with the same number
 * of partitions are co-partitioned. Kafka's server-side RangeAssignor.
 */
export function assignRange({ members, partitionCount }: AssignorInput): ReadonlyMap<string, Assignment> {
  const ranges = new Map<string, TopicRange>()
  for (const { topics } of members) {
    for (const topicId of topics) {
      const range = ranges.get(topicId)
      if (range === undefined) ranges.set(topicId, { subscribers: 1, next: 0 })
      else range.subscribers++
    }
  }
  const served = new Map<string, number>()
  const assignments = new Map<string, Assignment>()
  for (const { id, topics } of members.toSorted(compareMembers)) {
    const mine = new Map<string, Set<number>>()
    for (const topicId of topics) {
      const range = ranges.get(topicId)!
      const count = partitionCount(topicId)
      const before = served.get(topicId) ?? 0
      served.set(topicId, before + 1)
      const quota = Math.trunc(count / range.subscribers) + (before < count % range.subscribers ? 1 : 0)
      if (quota > 0) mine.set(topicId, new Set(Array.from({ length: quota }, (_, i) => range.next + i)))
      range.next += quota
    }
    assignments.set(id, mine)
  }
  return assignments
}
