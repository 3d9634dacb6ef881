/** Partitions by topic id. */
export type Assignment = ReadonlyMap<string, ReadonlySet<number>>

/** Partitions by topic id, each with the epoch in which the member got it. */
export type EpochAssignment = ReadonlyMap<string, ReadonlyMap<number, number>>

/** Partitions as they come in a request. */
export interface TopicPartitions {
  readonly topicId: string
  readonly partitions: readonly number[]
}

export const NO_PARTITIONS: Assignment = new Map()
export const NO_EPOCHS: EpochAssignment = new Map()

export function sameAssignment(a: Assignment, b: Assignment): boolean {
  if (a === b) return true
  if (a.size !== b.size) return false
  for (const [topicId, partitions] of a) {
    const others = b.get(topicId)
    if (others === undefined || others.size !== partitions.size) return false
    for (const partition of partitions) if (!others.has(partition)) return false
  }
  return true
}

export function sameEpochs(a: EpochAssignment, b: EpochAssignment): boolean {
  if (a === b) return true
  if (a.size !== b.size) return false
  for (const [topicId, epochs] of a) {
    const others = b.get(topicId)
    if (others === undefined || others.size !== epochs.size) return false
    for (const [partition, epoch] of epochs) if (others.get(partition) !== epoch) return false
  }
  return true
}

/** Whether all of the listed partitions are in the assignment. */
export function holdsAll(assignment: EpochAssignment, listed: readonly TopicPartitions[]): boolean {
  return listed.every(({ topicId, partitions }) => {
    const held = assignment.get(topicId)
    return held !== undefined && partitions.every((partition) => held.has(partition))
  })
}

/** Whether any of the listed partitions is in the assignment. */
export function holdsAny(assignment: EpochAssignment, listed: readonly TopicPartitions[]): boolean {
  return listed.some(({ topicId, partitions }) => {
    const held = assignment.get(topicId)
    return held !== undefined && partitions.some((partition) => held.has(partition))
  })
}

/** The same partitions, all of them in one epoch. */
export function inEpoch(assignment: Assignment | EpochAssignment, epoch: number): EpochAssignment {
  return new Map([...assignment].map(([topicId, held]) => [topicId, new Map([...held.keys()].map((index) => [index, epoch]))]))
}

export function withoutEpochs(assignment: EpochAssignment): Assignment {
  return new Map([...assignment].map(([topicId, epochs]) => [topicId, new Set(epochs.keys())]))
}
