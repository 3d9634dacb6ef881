import { ErrorCode } from '@millrace/protocol'
import type { Deadlines } from '../core/deadlines.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { ClassicMember } from './classic-member.ts'
import { joinError, syncError } from './replies.ts'

const EMPTY: Buffer = Buffer.alloc(0)
/** A new member cannot heartbeat, so its JoinGroup times out after this (`group.new.member.join.timeout`: 5 minutes). */
const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000

/** Writes a group's members, protocol and assignments to the offsets topic; returns NONE or the error for the client. */
export type StoreGroup = (group: ClassicGroup, assignments: ReadonlyMap<string, Buffer>, now: number) => number

/**
 * How a classic group gets from one generation to the next: the join phase ends when all members joined or time is up, then the
 * leader's assignment is stored and handed out. Sessions that end without a heartbeat start it again.
 */
export class Rebalance {
  readonly #deadlines: Deadlines
  readonly #initialDelayMs: number
  readonly #store: StoreGroup

  constructor(deadlines: Deadlines, initialDelayMs: number, store: StoreGroup) {
    this.#deadlines = deadlines
    this.#initialDelayMs = initialDelayMs
    this.#store = store
  }

  /** Begins a rebalance where the state allows, or ends the join phase if this was the last member awaited. */
  begin(group: ClassicGroup, now: number): void {
    if (group.canRebalance) this.prepare(group, now)
    else this.maybeCompleteJoin(group, now)
  }

  prepare(group: ClassicGroup, now: number): void {
    if (group.state === 'CompletingRebalance') {
      for (const member of group.members.values()) member.assignment = EMPTY
      this.#handOut(group, ErrorCode.REBALANCE_IN_PROGRESS, now)
    }
    group.pendingSync.clear()
    group.syncDeadline?.cancel()
    const isInitial = group.state === 'Empty'
    group.transitionTo('PreparingRebalance', now)
    if (!isInitial) return this.#completeJoinOrWait(group, now)
    const delay = this.#initialDelayMs
    // Those who were only handed an id are not waited for (Kafka: tryCompleteInitialRebalanceElseSchedule).
    if (delay === 0) return this.#completeJoin(group, now)
    this.#waitForMore(group, delay, Math.max(0, group.rebalanceTimeoutMs - delay), now)
  }

  /** Ends the join phase if nobody is missing. An initial rebalance with a delay ends by time only. */
  maybeCompleteJoin(group: ClassicGroup, now: number): void {
    if (group.state !== 'PreparingRebalance') return
    if (group.previousState === 'Empty' && this.#initialDelayMs > 0) return
    if (group.allMembersJoined) this.#completeJoin(group, now)
  }

  /** The leader's assignment came: stores it and hands it out. */
  assign(group: ClassicGroup, given: ReadonlyMap<string, Buffer>, now: number): void {
    const assignments = new Map([...group.members.keys()].map((id) => [id, given.get(id) ?? EMPTY]))
    const error = this.#store(group, assignments, now)
    if (error !== ErrorCode.NONE) {
      for (const member of group.members.values()) member.assignment = EMPTY
      this.#handOut(group, error, now)
      return this.begin(group, now)
    }
    for (const member of group.members.values()) member.assignment = assignments.get(member.id)!
    this.#handOut(group, ErrorCode.NONE, now)
    group.transitionTo('Stable', now)
  }

  /** Stores the group as it is. */
  store(group: ClassicGroup, now: number): number {
    return this.#store(group, new Map([...group.members.values()].map(({ id, assignment }) => [id, assignment])), now)
  }

  synced(group: ClassicGroup, member: ClassicMember): void {
    group.pendingSync.delete(member.id)
    if (group.pendingSync.size === 0) group.syncDeadline?.cancel()
  }

  /** An id was handed out; its owner has until `at` to join with it. */
  expectMember(group: ClassicGroup, memberId: string, at: number): void {
    const expiry = this.#deadlines.schedule(at, (now) => {
      group.remove(memberId)
      if (group.state === 'PreparingRebalance' && group.allMembersJoined) this.#completeJoin(group, now)
    })
    group.pendingJoin.set(memberId, expiry)
  }

  startSession(group: ClassicGroup, member: ClassicMember, now: number): void {
    this.#sessionUntil(group, member, now + NEW_MEMBER_JOIN_TIMEOUT_MS)
  }

  extendSession(group: ClassicGroup, member: ClassicMember, now: number): void {
    this.#sessionUntil(group, member, now + member.sessionTimeoutMs)
  }

  /** Takes a member out, answering what it waits for. `membersLeft` follows when all that leave are out. */
  removeMember(group: ClassicGroup, member: ClassicMember): void {
    group.completeJoin(member, joinError(ErrorCode.UNKNOWN_MEMBER_ID, ''))
    group.completeSync(member, syncError(ErrorCode.UNKNOWN_MEMBER_ID))
    group.remove(member.id)
  }

  membersLeft(group: ClassicGroup, now: number): void {
    if (group.state === 'Stable' || group.state === 'CompletingRebalance') this.begin(group, now)
    else if (group.state === 'PreparingRebalance') this.maybeCompleteJoin(group, now)
  }

  #sessionUntil(group: ClassicGroup, member: ClassicMember, at: number): void {
    if (member.session?.active) return member.session.moveTo(at)
    member.session = this.#deadlines.schedule(at, (now) => this.#sessionEnded(group, member, now))
  }

  #sessionEnded(group: ClassicGroup, member: ClassicMember, now: number): void {
    if (group.members.get(member.id) !== member) return
    // While it waits for us it need not heartbeat: a member that joined (unless it is new) or synced is alive.
    if ((member.awaitingJoin !== null && !member.isNew) || member.awaitingSync !== null)
      return this.extendSession(group, member, now)
    this.removeMember(group, member)
    if (group.state === 'PreparingRebalance') {
      if (group.allMembersJoined) this.#completeJoin(group, now)
    } else {
      this.membersLeft(group, now)
    }
  }

  #waitForMore(group: ClassicGroup, delayMs: number, remainingMs: number, now: number): void {
    group.joinDeadline?.cancel()
    group.joinDeadline = this.#deadlines.schedule(now + delayMs, (at) => {
      if (!group.newMemberAdded || remainingMs === 0) return this.#completeJoin(group, at)
      group.newMemberAdded = false
      this.#waitForMore(group, Math.min(this.#initialDelayMs, remainingMs), Math.max(0, remainingMs - delayMs), at)
    })
  }

  #completeJoinOrWait(group: ClassicGroup, now: number): void {
    if (group.allMembersJoined) return this.#completeJoin(group, now)
    this.#limitJoinPhase(group, now)
  }

  #limitJoinPhase(group: ClassicGroup, now: number): void {
    group.joinDeadline?.cancel()
    group.joinDeadline = this.#deadlines.schedule(now + group.rebalanceTimeoutMs, (at) => this.#completeJoin(group, at))
  }

  /** Drops dynamic members that did not rejoin and starts the next generation with the others. */
  #completeJoin(group: ClassicGroup, now: number): void {
    group.joinDeadline?.cancel()
    if (group.state !== 'PreparingRebalance') return
    for (const member of group.members.values()) {
      if (member.awaitingJoin === null && member.instanceId === null) group.remove(member.id)
    }
    // Only static members are left and none of them rejoined: their sessions decide.
    if (!group.electJoinedLeader() && group.members.size > 0) return this.#limitJoinPhase(group, now)
    group.startNextGeneration(now)
    if (group.members.size === 0) {
      // A failure to write it is harmless: should the broker die, the former generation comes back and times out.
      this.#store(group, new Map(), now)
      return
    }
    for (const member of group.members.values()) {
      group.pendingSync.add(member.id)
      member.isNew = false
      this.extendSession(group, member, now)
      group.completeJoin(member, group.joinReply(member.id))
    }
    const { generation } = group
    group.syncDeadline?.cancel()
    group.syncDeadline = this.#deadlines.schedule(now + group.rebalanceTimeoutMs, (at) =>
      this.#syncTimedOut(group, generation, at),
    )
  }

  #syncTimedOut(group: ClassicGroup, generation: number, now: number): void {
    if (generation !== group.generation || group.pendingSync.size === 0) return
    if (group.state !== 'CompletingRebalance' && group.state !== 'Stable') return
    for (const memberId of group.pendingSync) {
      const member = group.members.get(memberId)
      if (member !== undefined) this.removeMember(group, member)
    }
    this.prepare(group, now)
  }

  /** Answers all that wait for an assignment. */
  #handOut(group: ClassicGroup, error: number, now: number): void {
    for (const member of group.members.values()) {
      const reply = error === ErrorCode.NONE ? group.syncReply(member) : syncError(error)
      // Its session may have ended while it waited, which was ignored then.
      if (group.completeSync(member, reply)) this.extendSession(group, member, now)
    }
  }
}
