import type { Assignment } from './assignment.ts'
import { assignHeterogeneous } from './heterogeneous-assignor.ts'
import { hashMapOrder, hashSetOrder, stringHash, timelineOrder, uuidHash } from './java-order.ts'
import { assignRange } from './range-assignor.ts'
import { assignHomogeneous } from './uniform-assignor.ts'

export interface AssignorMember {
  readonly id: string
  readonly instanceId: string | null
  /** Ids of the topics that it subscribes to; all of them exist. */
  readonly topics: ReadonlySet<string>
  /** What it had in the assignment before. */
  readonly current: Assignment
}

export interface AssignorInput {
  readonly members: readonly AssignorMember[]
  /** All members subscribe to the same topics. */
  readonly isHomogeneous: boolean
  readonly partitionCount: (topicId: string) => number
}

export type Assignor = (input: AssignorInput) => ReadonlyMap<string, Assignment>

/** The server's assignors by name. None of them regards racks (Kafka 4.3: KIP-881 is for the consumers' own assignors only). */
export const ASSIGNORS: ReadonlyMap<string, Assignor> = new Map<string, Assignor>([
  ['uniform', (input) => (input.isHomogeneous ? assignHomogeneous(input) : assignHeterogeneous(input))],
  ['range', assignRange],
])

/**
 * The members as Kafka's assignors come upon them, in the order of its hash tables: those that were in the group, as its coordinator walks
 * them, then the one that joins.
 * @param joining the id of a member that was not in the group before
 * @param most how many members the group has had at the same time
 */
export function inJavaOrder(members: readonly AssignorMember[], joining: string | null, most: number): AssignorMember[] {
  const present = members.filter(({ id }) => id !== joining)
  const walked = timelineOrder(present, ({ id }) => stringHash(id), most)
  const all = [...walked, ...members.filter(({ id }) => id === joining)]
  return asInAssignors(all, all.length)
}

/** @param most how many members the assignor's table has had */
export function asInAssignors(members: readonly AssignorMember[], most: number): AssignorMember[] {
  const walked = hashMapOrder(members, ({ id }) => stringHash(id), most)
  return walked.map((member) => ({ ...member, current: ordered(member.current) }))
}

function ordered(assignment: Assignment): Assignment {
  const topicIds = hashMapOrder([...assignment.keys()], uuidHash)
  return new Map(topicIds.map((topicId) => [topicId, new Set(hashSetOrder([...assignment.get(topicId)!], Math.trunc))]))
}
