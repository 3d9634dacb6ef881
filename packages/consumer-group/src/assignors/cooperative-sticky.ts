import { TopicPartitionSet } from '../topic-partition.ts'
import {
  emptyAssignment,
  type Assignment,
  type GroupMember,
  type LastAssignment,
  type PartitionAssignor,
  type TopicLayout,
} from './assignor.ts'
import { solve } from './sticky.ts'
import { StickyProblem, type Claim } from './sticky-problem.ts'

/**
 * Java's CooperativeStickyAssignor: balanced, and sticky. A partition that changes its owner is given to nobody at first:
 * its old owner gives it up, everyone joins again, and then the new owner gets it (KIP-429).
 */
export const cooperativeStickyAssignor: PartitionAssignor = {
  name: 'cooperative-sticky',
  protocols: ['cooperative', 'eager'],
  subscriptionUserData(_topics: readonly string[], last: LastAssignment | null): Buffer {
    const data = Buffer.alloc(GENERATION_BYTES)
    data.writeInt32BE(last?.generationId ?? -1)
    return data
  },
  assign(topics: ReadonlyMap<string, TopicLayout>, members: readonly GroupMember[]): Assignment {
    const problem = new StickyProblem(topics, members, claimOf)
    if (problem.partitionCount === 0) return emptyAssignment(members)
    const { assigned, transfers } = solve(problem)
    if (transfers === null) return withoutTransfers(problem.assignmentOf(assigned), members)
    for (const [partition, member] of transfers) assigned[member] = assigned[member]!.filter((one) => one !== partition)
    return problem.assignmentOf(assigned)
  },
}

const GENERATION_BYTES = 4

/** Members that speak an older version of the subscription say their generation in the user data. */
function claimOf({ ownedPartitions, generationId, userData }: GroupMember): Claim {
  if (generationId >= 0 || userData === null || userData.length < GENERATION_BYTES) {
    return { partitions: ownedPartitions, generationId }
  }
  return { partitions: ownedPartitions, generationId: userData.readInt32BE(0) }
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
