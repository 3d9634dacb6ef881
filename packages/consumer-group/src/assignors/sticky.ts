import { Reader, Writer } from '@millrace/protocol/internal'
import { groupByTopic, type TopicPartition } from '../topic-partition.ts'
import {
  emptyAssignment,
  type Assignment,
  type GroupMember,
  type LastAssignment,
  type PartitionAssignor,
  type TopicLayout,
} from './assignor.ts'
import { inHashOrder } from './java-hash-order.ts'
import { GeneralBalance } from './sticky-general.ts'
import { StickyProblem, type Claim } from './sticky-problem.ts'
import { UniformBalance, type StickySolution } from './sticky-uniform.ts'

/**
 * Java's StickyAssignor: balanced, and what need not move stays. Under the eager protocol a member owns nothing when it joins, so what it had
 * last goes with its subscription.
 */
export const stickyAssignor: PartitionAssignor = {
  name: 'sticky',
  protocols: ['eager'],
  subscriptionUserData(_topics: readonly string[], last: LastAssignment | null): Buffer | null {
    return last === null ? null : encodeLastAssignment(last)
  },
  assign(topics: ReadonlyMap<string, TopicLayout>, members: readonly GroupMember[]): Assignment {
    const problem = new StickyProblem(topics, members, ({ userData }) => decodeLastAssignment(userData))
    return problem.partitionCount === 0 ? emptyAssignment(members) : problem.assignmentOf(solve(problem).assigned)
  },
}

export function solve(problem: StickyProblem): StickySolution {
  return problem.isUniform ? new UniformBalance(problem).solve() : new GeneralBalance(problem).solve()
}

/** StickyAssignorUserData v1: topics with their partitions, then the generation. */
export function encodeLastAssignment({ partitions, generationId }: LastAssignment): Buffer {
  const writer = new Writer()
  const topics = groupByTopic(partitions)
  writer.int32(topics.size)
  for (const topic of inHashOrder([...topics.keys()])) {
    writer.string(topic)
    writer.int32(topics.get(topic)!.length)
    for (const partition of topics.get(topic)!) writer.int32(partition)
  }
  writer.int32(generationId)
  return writer.toBuffer()
}

/** As Java, nothing is believed of what cannot be read; v0 has no generation. */
export function decodeLastAssignment(userData: Buffer | null): Claim {
  if (userData === null || userData.length === 0) return NO_CLAIM
  try {
    const reader = new Reader(userData)
    const partitions: TopicPartition[] = []
    for (let topics = reader.arrayLength(MIN_TOPIC_BYTES); topics > 0; topics--) {
      const topic = reader.string()
      for (let count = reader.arrayLength(PARTITION_BYTES); count > 0; count--)
        partitions.push({ topic, partition: reader.int32() })
    }
    return { partitions, generationId: reader.remaining >= GENERATION_BYTES ? reader.int32() : -1 }
  } catch {
    return NO_CLAIM
  }
}

const NO_CLAIM: Claim = { partitions: [], generationId: -1 }
const MIN_TOPIC_BYTES = 6
const PARTITION_BYTES = 4
const GENERATION_BYTES = 4
