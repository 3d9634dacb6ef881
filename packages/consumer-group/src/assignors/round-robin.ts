import type { TopicPartition } from '../topic-partition.ts'
import {
  compareMembers,
  compareStrings,
  emptyAssignment,
  type Assignment,
  type GroupMember,
  type PartitionAssignor,
  type TopicLayout,
} from './assignor.ts'

/** Java's RoundRobinAssignor: all partitions in order, dealt out to the members in turn, past those that do not subscribe to the topic. */
export const roundRobinAssignor: PartitionAssignor = {
  name: 'roundrobin',
  protocols: ['eager'],
  assign(topics: ReadonlyMap<string, TopicLayout>, members: readonly GroupMember[]): Assignment {
    const assignment = emptyAssignment(members)
    const turns = members.toSorted(compareMembers).map((member) => ({ id: member.memberId, topics: new Set(member.topics) }))
    let turn = 0
    for (const { topic, partition } of subscribedPartitions(topics, members)) {
      while (!turns[turn]!.topics.has(topic)) turn = (turn + 1) % turns.length
      assignment.get(turns[turn]!.id)!.push({ topic, partition })
      turn = (turn + 1) % turns.length
    }
    return assignment
  },
}

function* subscribedPartitions(
  topics: ReadonlyMap<string, TopicLayout>,
  members: readonly GroupMember[],
): Iterable<TopicPartition> {
  const names = new Set(members.flatMap((member) => member.topics))
  for (const topic of [...names].sort(compareStrings)) {
    const count = topics.get(topic)?.partitionCount ?? 0
    for (let partition = 0; partition < count; partition++) yield { topic, partition }
  }
}
