import { compareMembers, compareStrings, emptyAssignment, type Assignment, type Assignor, type GroupMember } from './assignor.ts'

/**
 * Java's RangeAssignor, without racks: each topic's partitions are cut into consecutive ranges, one per subscribed member
 * in order; the first ones get one more when it does not come out even. Topics with the same members and the same number
 * of partitions are therefore cut at the same places, which joins of co-partitioned topics rely on.
 */
export const rangeAssignor: Assignor = {
  name: 'range',
  protocols: ['eager'],
  userData: () => null,
  assign(partitionCounts: ReadonlyMap<string, number>, members: readonly GroupMember[]): Assignment {
    const assignment = emptyAssignment(members)
    const subscribers = subscribersByTopic(members)
    for (const topic of [...subscribers.keys()].sort(compareStrings)) {
      const count = partitionCounts.get(topic) ?? 0
      assignTopic(topic, count, subscribers.get(topic)!, assignment)
    }
    return assignment
  },
}

function assignTopic(topic: string, count: number, subscribers: readonly GroupMember[], assignment: Assignment): void {
  const share = Math.floor(count / subscribers.length)
  const withOneMore = count % subscribers.length
  let partition = 0
  subscribers.forEach((member, index) => {
    const end = partition + share + (index < withOneMore ? 1 : 0)
    const assigned = assignment.get(member.memberId)!
    for (; partition < end; partition++) assigned.push({ topic, partition })
  })
}

function subscribersByTopic(members: readonly GroupMember[]): Map<string, GroupMember[]> {
  const subscribers = new Map<string, GroupMember[]>()
  for (const member of members.toSorted(compareMembers)) {
    for (const topic of new Set(member.topics)) {
      const list = subscribers.get(topic)
      if (list === undefined) subscribers.set(topic, [member])
      else list.push(member)
    }
  }
  return subscribers
}
