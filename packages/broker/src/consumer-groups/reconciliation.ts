import { holdsAny, NO_EPOCHS, type Assignment, type EpochAssignment, type TopicPartitions } from './assignment.ts'
import type { ConsumerMember } from './consumer-member.ts'

export interface ReconciliationInput {
  readonly member: ConsumerMember
  readonly targetEpoch: number
  readonly target: Assignment
  /** What it is no longer subscribed to goes, even when its epoch stays. */
  readonly subscriptionChanged: boolean
  readonly isSubscribed: (topicId: string) => boolean
  /** Whether any member has the partition now. */
  readonly isOwned: (topicId: string, partition: number) => boolean
  /** What the member says that it has; null when it said nothing, and then it may still have everything. */
  readonly owned: readonly TopicPartitions[] | null
}

/** The member cannot go on; it must give up everything and join anew. */
export const MUST_REJOIN: unique symbol = Symbol('must rejoin')

/**
 * One step of a member towards its target: it gives back what others shall have before it moves to the next epoch, and gets what nobody
 * has any more. Returns the same object when there is nothing to do. Kafka's CurrentAssignmentBuilder.
 */
export function reconcile(input: ReconciliationInput): ConsumerMember | typeof MUST_REJOIN {
  const { member, targetEpoch, subscriptionChanged, owned } = input
  switch (member.state) {
    case 'STABLE':
      if (member.epoch !== targetEpoch) return next(input, member.epoch)
      return subscriptionChanged ? dropUnsubscribed(input) : member
    case 'UNREVOKED_PARTITIONS':
      if (!mayOwn(member.revoking, owned)) return next(input, member.epoch)
      return subscriptionChanged ? dropUnsubscribed(input) : member
    case 'UNRELEASED_PARTITIONS':
      return next(input, member.epoch)
    default:
      return owned === null || owned.length > 0 ? MUST_REJOIN : next(input, targetEpoch)
  }
}

function mayOwn(partitions: EpochAssignment, owned: readonly TopicPartitions[] | null): boolean {
  return owned === null || holdsAny(partitions, owned)
}

/** Takes away partitions of topics that the member left, and nothing else. */
function dropUnsubscribed({ member, isSubscribed, owned }: ReconciliationInput): ConsumerMember {
  const assigned = new Map(member.assigned)
  const revoking = new Map(member.revoking)
  for (const [topicId, epochs] of member.assigned) {
    if (isSubscribed(topicId)) continue
    assigned.delete(topicId)
    revoking.set(topicId, new Map([...(revoking.get(topicId) ?? []), ...epochs]))
  }
  if (assigned.size === member.assigned.size) return member
  const moved = { ...member, previousEpoch: member.epoch, assigned }
  if (mayOwn(revoking, owned)) return { ...moved, state: 'UNREVOKED_PARTITIONS', revoking }
  return moved
}

/** The whole step: what it keeps, what it must give back, what it can get. */
function next(input: ReconciliationInput, epoch: number): ConsumerMember {
  const { member, targetEpoch, target, isSubscribed, owned } = input
  const assigned = new Map<string, Map<number, number>>()
  const revoking = new Map<string, Map<number, number>>()
  const gained = new Map<string, number[]>()
  let unreleased = false
  for (const topicId of new Set([...target.keys(), ...member.assigned.keys()])) {
    const wanted = isSubscribed(topicId) ? target.get(topicId) : undefined
    const current = member.assigned.get(topicId)
    for (const [partition, since] of current ?? []) put(wanted?.has(partition) ? assigned : revoking, topicId, partition, since)
    for (const partition of wanted ?? []) {
      if (current?.has(partition)) continue
      if (isFree(input, topicId, partition)) list(gained, topicId).push(partition)
      else unreleased = true
    }
  }
  if (revoking.size > 0 && mayOwn(revoking, owned)) {
    return { ...member, state: 'UNREVOKED_PARTITIONS', epoch, previousEpoch: member.epoch, assigned, revoking }
  }
  for (const [topicId, partitions] of gained) {
    for (const partition of partitions) put(assigned, topicId, partition, targetEpoch)
  }
  const state = unreleased ? 'UNRELEASED_PARTITIONS' : 'STABLE'
  return { ...member, state, epoch: targetEpoch, previousEpoch: member.epoch, assigned, revoking: NO_EPOCHS }
}

/** What the member itself is giving back is its own to get again: only one member can have a partition. */
function isFree({ member, isOwned }: ReconciliationInput, topicId: string, partition: number): boolean {
  return !isOwned(topicId, partition) || (member.revoking.get(topicId)?.has(partition) ?? false)
}

function put(map: Map<string, Map<number, number>>, topicId: string, partition: number, epoch: number): void {
  let epochs = map.get(topicId)
  if (epochs === undefined) map.set(topicId, (epochs = new Map()))
  epochs.set(partition, epoch)
}

function list(map: Map<string, number[]>, topicId: string): number[] {
  let items = map.get(topicId)
  if (items === undefined) map.set(topicId, (items = []))
  return items
}
