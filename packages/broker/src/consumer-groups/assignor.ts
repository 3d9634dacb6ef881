import type { Assignment } from './assignment.ts'
import { assignHeterogeneous } from './heterogeneous-assignor.ts'
import { hashMapOrder, hashSetOrder, stringHash, uuidHash } from './java-order.ts'
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

/** The members as Kafka's assignors come upon them, in the order of its hash tables. */
export function inJavaOrder(members: readonly AssignorMember[]): AssignorMember[] {
  return hashMapOrder(members, ({ id }) => stringHash(id)).map((member) => ({ ...member, current: ordered(member.current) }))
}

function ordered(assignment: Assignment): Assignment {
  const topicIds = hashMapOrder([...assignment.keys()], uuidHash)
  return new Map(topicIds.map((topicId) => [topicId, new Set(hashSetOrder([...assignment.get(topicId)!], Math.trunc))]))
}
