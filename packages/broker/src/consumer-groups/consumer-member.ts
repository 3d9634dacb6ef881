import { NO_EPOCHS, sameEpochs, type EpochAssignment } from './assignment.ts'
import type { MemberProtocol } from '../coordinator/classic-member.ts'

/** The epoch of a static member that went away for a while (it left with -2). */
export const STATIC_LEAVE_EPOCH = -2
/** The epoch with which a member leaves for good. */
export const LEAVE_EPOCH = -1

/**
 * STABLE: the member has what its epoch gives it. UNREVOKED_PARTITIONS: it must give some back first. UNRELEASED_PARTITIONS: it
 * waits for others to give some back. UNKNOWN: a newer Kafka wrote a state that does not exist here.
 */
export type MemberState = 'STABLE' | 'UNREVOKED_PARTITIONS' | 'UNRELEASED_PARTITIONS' | 'UNKNOWN'

/** What a member that came by JoinGroup said (it is part of the group by the classic protocol). */
export interface ClassicMetadata {
  readonly sessionTimeoutMs: number
  readonly protocols: readonly MemberProtocol[]
}

/** What the member says about itself. */
export interface MemberMetadata {
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly topicNames: ReadonlySet<string>
  /** Empty or null: none. */
  readonly topicRegex: string | null
  readonly rebalanceTimeoutMs: number
  readonly serverAssignor: string | null
  /** Null for a member of the consumer protocol. */
  readonly classic: ClassicMetadata | null
}

/** How far the member has come. */
export interface MemberProgress {
  readonly epoch: number
  readonly previousEpoch: number
  readonly state: MemberState
  readonly assigned: EpochAssignment
  /** Taken from the member, which has not yet said that it gave them back. */
  readonly revoking: EpochAssignment
}

/** A member of a consumer group; never changed, only replaced (ConsumerGroupMember.java). */
export interface ConsumerMember extends MemberMetadata, MemberProgress {
  readonly id: string
}

const NEW_PROGRESS: MemberProgress = {
  epoch: 0,
  previousEpoch: -1,
  state: 'STABLE',
  assigned: NO_EPOCHS,
  revoking: NO_EPOCHS,
}

export function newMember(id: string): ConsumerMember {
  return {
    id,
    instanceId: null,
    rackId: null,
    clientId: '',
    clientHost: '',
    topicNames: new Set(),
    topicRegex: '',
    rebalanceTimeoutMs: -1,
    serverAssignor: null,
    classic: null,
    ...NEW_PROGRESS,
  }
}

/** The part that its metadata record holds. */
export function metadataOf(member: MemberMetadata): MemberMetadata {
  const { instanceId, rackId, clientId, clientHost, topicNames, topicRegex, rebalanceTimeoutMs, serverAssignor, classic } = member
  return { instanceId, rackId, clientId, clientHost, topicNames, topicRegex, rebalanceTimeoutMs, serverAssignor, classic }
}

/** The part that its current assignment record holds. */
export function progressOf({ epoch, previousEpoch, state, assigned, revoking }: MemberProgress): MemberProgress {
  return { epoch, previousEpoch, state, assigned, revoking }
}

/** Whether the member has reached this assignment epoch and has all that it gives. */
export function isReconciledTo(member: ConsumerMember, assignmentEpoch: number): boolean {
  return member.state === 'STABLE' && member.epoch === assignmentEpoch
}

export function regexOf(member: MemberMetadata): string | null {
  return member.topicRegex === '' ? null : member.topicRegex
}

export function sameMetadata(a: MemberMetadata, b: MemberMetadata): boolean {
  return (
    a.instanceId === b.instanceId &&
    a.rackId === b.rackId &&
    a.clientId === b.clientId &&
    a.clientHost === b.clientHost &&
    a.topicRegex === b.topicRegex &&
    a.rebalanceTimeoutMs === b.rebalanceTimeoutMs &&
    a.serverAssignor === b.serverAssignor &&
    sameNames(a.topicNames, b.topicNames) &&
    sameClassic(a.classic, b.classic)
  )
}

export function sameProgress(a: MemberProgress, b: MemberProgress): boolean {
  return (
    a.epoch === b.epoch &&
    a.previousEpoch === b.previousEpoch &&
    a.state === b.state &&
    sameEpochs(a.assigned, b.assigned) &&
    sameEpochs(a.revoking, b.revoking)
  )
}

export function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  if (a === b) return true
  if (a.size !== b.size) return false
  for (const name of a) if (!b.has(name)) return false
  return true
}

function sameClassic(a: ClassicMetadata | null, b: ClassicMetadata | null): boolean {
  if (a === b) return true
  if (a === null || b === null) return false
  if (a.sessionTimeoutMs !== b.sessionTimeoutMs || a.protocols.length !== b.protocols.length) return false
  return a.protocols.every(({ name, metadata }, i) => name === b.protocols[i]!.name && metadata.equals(b.protocols[i]!.metadata))
}
