import { TopicPartitionSet, type TopicPartition } from '../topic-partition.ts'
import type { Assignment, GroupMember, RebalanceProtocol, TopicLayout } from './assignor.ts'
import { AssignorError } from './assignor-error.ts'

interface Names {
  readonly groupId: string
  readonly assignor: string
}

/**
 * What an assignor decided, if it is sound; members that it left out get nothing.
 * @throws {AssignorError} naming the member and the partition
 */
export function checkedAssignment(
  names: Names,
  decided: unknown,
  topics: ReadonlyMap<string, TopicLayout>,
  members: readonly GroupMember[],
  protocol: RebalanceProtocol,
): Assignment {
  const fail = (what: string): AssignorError => new AssignorError(names.groupId, names.assignor, what)
  if (!(decided instanceof Map)) throw fail('returned no Map from member ids to partitions')
  const assignment: Assignment = new Map(members.map(({ memberId }) => [memberId, []]))
  const owners = new Map<string, string>()
  const byId = new Map(members.map((member) => [member.memberId, member]))
  for (const [memberId, partitions] of decided as Map<unknown, unknown>) {
    const member = byId.get(memberId as string)
    if (member === undefined) throw fail(`assigned to ${String(memberId)}, which is no member of the group`)
    if (!Array.isArray(partitions)) throw fail(`assigned no array of partitions to member ${member.memberId}`)
    for (const one of partitions as unknown[]) {
      const { topic, partition } = existing(one, topics, member, fail)
      if (!member.topics.includes(topic))
        throw fail(`assigned ${topic}-${partition} to member ${member.memberId}, which does not subscribe to it`)
      const name = `${topic}-${partition}`
      const other = owners.get(name)
      if (other !== undefined) throw fail(`assigned ${name} twice, to member ${other} and to member ${member.memberId}`)
      owners.set(name, member.memberId)
      assignment.get(member.memberId)!.push({ topic, partition })
    }
  }
  if (protocol === 'cooperative') refuseTakeovers(assignment, members, fail)
  return assignment
}

function existing(
  one: unknown,
  topics: ReadonlyMap<string, TopicLayout>,
  { memberId }: GroupMember,
  fail: (what: string) => AssignorError,
): TopicPartition {
  const { topic, partition } = (one ?? {}) as Partial<Record<keyof TopicPartition, unknown>>
  const layout = typeof topic === 'string' ? topics.get(topic) : undefined
  const isThere =
    Number.isInteger(partition) && (partition as number) >= 0 && (partition as number) < (layout?.partitionCount ?? 0)
  if (!isThere) throw fail(`assigned ${String(topic)}-${String(partition)}, which does not exist, to member ${memberId}`)
  return { topic: topic as string, partition: partition as number }
}

/** A partition may not be given to a new owner while the one that is to give it up still has it (Java: validateCooperativeAssignment). */
function refuseTakeovers(assignment: Assignment, members: readonly GroupMember[], fail: (what: string) => AssignorError): void {
  const revoked = new TopicPartitionSet()
  for (const { memberId, ownedPartitions } of members) {
    const keeps = new TopicPartitionSet(assignment.get(memberId))
    for (const { topic, partition } of ownedPartitions) if (!keeps.has(topic, partition)) revoked.add(topic, partition)
  }
  for (const { memberId, ownedPartitions } of members) {
    const had = new TopicPartitionSet(ownedPartitions)
    for (const { topic, partition } of assignment.get(memberId)!) {
      if (!had.has(topic, partition) && revoked.has(topic, partition)) {
        throw fail(`gave ${topic}-${partition} to member ${memberId} while another member, which is to give it up, still has it`)
      }
    }
  }
}
