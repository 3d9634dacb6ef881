import { TopicPartitionSet } from '../topic-partition.ts'
import type { Assignment, Assignor, GroupMember } from './assignor.ts'
import { assignSticky } from './sticky-balance.ts'

/**
 * Java's CooperativeStickyAssignor: balanced, and sticky. A partition that changes its owner is given to nobody at first:
 * its old owner gives it up, everyone joins again, and then the new owner gets it (KIP-429).
 */
export const cooperativeStickyAssignor: Assignor = {
  name: 'cooperative-sticky',
  protocols: ['cooperative', 'eager'],
  userData(generationId: number): Buffer {
    const data = Buffer.alloc(4)
    data.writeInt32BE(generationId)
    return data
  },
  assign(partitionCounts: ReadonlyMap<string, number>, members: readonly GroupMember[]): Assignment {
    return withoutTransfers(assignSticky(partitionCounts, members), members)
  },
}

/** Takes away from everyone what another one still has and is about to give up. */
function withoutTransfers(assignment: Assignment, members: readonly GroupMember[]): Assignment {
  const givenUp = new TopicPartitionSet()
  for (const member of members) {
    const assigned = new TopicPartitionSet(assignment.get(member.memberId))
    for (const { topic, partition } of member.ownedPartitions) if (!assigned.has(topic, partition)) givenUp.add(topic, partition)
  }
  if (givenUp.size === 0) return assignment
  for (const member of members) {
    const owned = new TopicPartitionSet(member.ownedPartitions)
    const partitions = assignment.get(member.memberId)!
    const kept = partitions.filter(({ topic, partition }) => owned.has(topic, partition) || !givenUp.has(topic, partition))
    assignment.set(member.memberId, kept)
  }
  return assignment
}
