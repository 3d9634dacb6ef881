import assert from 'node:assert'
import { ErrorCode } from '@millrace/protocol'
import type { JoinGroupResponse, JoinGroupResponseMember } from '@millrace/protocol/apis/join-group'
import type { SyncGroupResponse } from '@millrace/protocol/apis/sync-group'
import type { Deadline } from '../core/deadlines.ts'
import type { Deferred } from '../core/deferred.ts'
import { ClassicMember, type MemberProtocol } from './classic-member.ts'
import { CONSUMER_PROTOCOL_TYPE, subscribedTopics } from './consumer-protocol.ts'
import { joinError, syncError } from './replies.ts'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

/** From which states a group may come into each (ClassicGroupState.java). */
const VALID_PREVIOUS: Readonly<Record<GroupState, readonly GroupState[]>> = {
  Empty: ['PreparingRebalance'],
  PreparingRebalance: ['Stable', 'CompletingRebalance', 'Empty'],
  CompletingRebalance: ['PreparingRebalance'],
  Stable: ['CompletingRebalance'],
  Dead: ['Stable', 'PreparingRebalance', 'CompletingRebalance', 'Empty', 'Dead'],
}

/** What the group's log says about it. */
export interface GroupSnapshot {
  readonly protocolType: string | null
  readonly generation: number
  readonly protocol: string | null
  readonly leader: string | null
  readonly stateTimestamp: number
  readonly members: readonly ClassicMember[]
}

/**
 * A group whose members assign partitions themselves: members, their votes, and the state. Kafka's ClassicGroup. When what
 * happens is decided in classic-membership.ts; here are only the transitions.
 */
export class ClassicGroup {
  readonly type = 'classic'
  readonly id: string
  /** In order of joining; the first becomes leader. */
  readonly members: Map<string, ClassicMember> = new Map()
  /** Ids that were handed out with MEMBER_ID_REQUIRED, with when they expire. */
  readonly pendingJoin: Map<string, Deadline> = new Map()
  /** Members of this generation that did not sync yet. */
  readonly pendingSync: Set<string> = new Set()
  /** End of the join phase. */
  joinDeadline: Deadline | null = null
  /** By when all members must have synced. */
  syncDeadline: Deadline | null = null
  /** A member joined since the initial rebalance was last extended. */
  newMemberAdded = false
  readonly #instances = new Map<string, string>()
  readonly #supporters = new Map<string, number>()
  #state: GroupState = 'Empty'
  #previousState: GroupState = 'Dead'
  #stateTimestamp: number
  #generation = 0
  #protocolType: string | null = null
  #protocol: string | null = null
  #leader: string | null = null
  #subscribed: ReadonlySet<string> | null = null
  #awaitingJoin = 0

  constructor(id: string, now: number) {
    this.id = id
    this.#stateTimestamp = now
  }

  get state(): GroupState {
    return this.#state
  }

  get previousState(): GroupState {
    return this.#previousState
  }

  /** Since when the group is in its state, epoch ms; -1 when a record of an old format does not say. */
  get stateTimestamp(): number {
    return this.#stateTimestamp
  }

  get generation(): number {
    return this.#generation
  }

  get protocolType(): string | null {
    return this.#protocolType
  }

  /** The assignor that was voted for; null while there is none. */
  get protocol(): string | null {
    return this.#protocol
  }

  get leader(): string | null {
    return this.#leader
  }

  get awaitingJoinCount(): number {
    return this.#awaitingJoin
  }

  get usesConsumerProtocol(): boolean {
    return this.#protocolType === CONSUMER_PROTOCOL_TYPE
  }

  /** Topics that the members subscribe to; null when that cannot be known (another protocol type, unreadable metadata). */
  get subscribedTopics(): ReadonlySet<string> | null {
    return this.#subscribed
  }

  isSubscribedTo(topic: string): boolean {
    return this.#subscribed?.has(topic) ?? this.usesConsumerProtocol
  }

  get canRebalance(): boolean {
    return VALID_PREVIOUS.PreparingRebalance.includes(this.#state)
  }

  get allMembersJoined(): boolean {
    return this.members.size === this.#awaitingJoin && this.pendingJoin.size === 0
  }

  /** The largest of the members' rebalance timeouts. */
  get rebalanceTimeoutMs(): number {
    let most = 0
    for (const { rebalanceTimeoutMs } of this.members.values()) most = Math.max(most, rebalanceTimeoutMs)
    return most
  }

  /** Takes over what the log says; the group must be new. */
  restore(snapshot: GroupSnapshot): void {
    this.#state = snapshot.members.length === 0 ? 'Empty' : 'Stable'
    this.#stateTimestamp = snapshot.stateTimestamp
    this.#generation = snapshot.generation
    this.#protocolType = snapshot.protocolType
    this.#protocol = snapshot.protocol
    for (const member of snapshot.members) this.add(member, null)
    this.#leader = snapshot.leader
    this.#subscribed = this.#computeSubscribed()
  }

  transitionTo(state: GroupState, now: number): void {
    assert(VALID_PREVIOUS[state].includes(this.#state), `group ${this.id} cannot go from ${this.#state} to ${state}`)
    this.#previousState = this.#state
    this.#state = state
    this.#stateTimestamp = now
  }

  staticMemberId(instanceId: string): string | undefined {
    return this.#instances.get(instanceId)
  }

  /** The error for a request in this member's name, NONE if it may act. */
  validateMember(memberId: string, instanceId: string | null): number {
    if (instanceId !== null) {
      const current = this.#instances.get(instanceId)
      if (current === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
      if (current !== memberId) return ErrorCode.FENCED_INSTANCE_ID
    }
    return this.members.has(memberId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID
  }

  supportsProtocols(protocolType: string, protocols: readonly MemberProtocol[]): boolean {
    if (this.#state === 'Empty') return protocolType !== '' && protocols.length > 0
    if (this.#protocolType !== protocolType) return false
    // Without members, as when all have left in the middle of a rebalance, any protocol will do (ClassicGroup.supportsProtocols).
    return protocols.some(({ name }) => (this.#supporters.get(name) ?? 0) === this.members.size)
  }

  add(member: ClassicMember, join: Deferred<JoinGroupResponse> | null, protocolType: string | null = this.#protocolType): void {
    if (member.instanceId !== null) {
      assert(!this.#instances.has(member.instanceId), `instance ${member.instanceId} is in group ${this.id} already`)
      this.#instances.set(member.instanceId, member.id)
    }
    if (this.members.size === 0) this.#protocolType = protocolType
    this.#leader ??= member.id
    this.members.set(member.id, member)
    this.#countSupporters(member, 1)
    member.awaitingJoin = join
    if (join !== null) this.#awaitingJoin++
    this.#forgetPending(member.id)
  }

  /** Takes out a member or a pending id. Its waiting requests must have been answered. */
  remove(memberId: string): void {
    const member = this.members.get(memberId)
    if (member !== undefined) {
      this.members.delete(memberId)
      this.#countSupporters(member, -1)
      if (member.awaitingJoin !== null) this.#awaitingJoin--
      if (member.instanceId !== null) this.#instances.delete(member.instanceId)
      member.session?.cancel()
    }
    if (this.#leader === memberId) this.#leader = this.members.keys().next().value ?? null
    this.#forgetPending(memberId)
    this.pendingSync.delete(memberId)
  }

  update(
    member: ClassicMember,
    protocols: readonly MemberProtocol[],
    timeouts: MemberTimeouts,
    join: Deferred<JoinGroupResponse>,
  ): void {
    this.setProtocols(member, protocols, timeouts)
    if (member.awaitingJoin === null) this.#awaitingJoin++
    // A client that gave up on its first JoinGroup and sent another: the first connection gets an answer nobody waits for.
    else member.awaitingJoin.complete(joinError(ErrorCode.REBALANCE_IN_PROGRESS, member.id))
    member.awaitingJoin = join
  }

  setProtocols(member: ClassicMember, protocols: readonly MemberProtocol[], timeouts: MemberTimeouts): void {
    this.#countSupporters(member, -1)
    member.protocols = protocols
    this.#countSupporters(member, 1)
    member.rebalanceTimeoutMs = timeouts.rebalanceTimeoutMs
    member.sessionTimeoutMs = timeouts.sessionTimeoutMs
  }

  /** A static member came back under a new id; whoever still acts under the old one is fenced. */
  replaceStaticMember(instanceId: string, newMemberId: string): ClassicMember {
    const old = this.members.get(this.#instances.get(instanceId)!)
    assert(old !== undefined, `instance ${instanceId} is not in group ${this.id}`)
    this.completeJoin(old, joinError(ErrorCode.FENCED_INSTANCE_ID, old.id))
    this.completeSync(old, syncError(ErrorCode.FENCED_INSTANCE_ID))
    old.session?.cancel()
    const member = new ClassicMember({ ...pick(old), id: newMemberId })
    // In the old one's place: order of joining decides who leads.
    const entries = [...this.members]
    this.members.clear()
    for (const [id, other] of entries) this.members.set(id === old.id ? newMemberId : id, id === old.id ? member : other)
    if (this.#leader === old.id) this.#leader = newMemberId
    if (this.pendingSync.delete(old.id)) this.pendingSync.add(newMemberId)
    this.#instances.set(instanceId, newMemberId)
    return member
  }

  /** Makes a member that did join the leader if the leader did not. False when nobody joined. */
  electJoinedLeader(): boolean {
    if (this.#leader === null) return false
    if (this.members.get(this.#leader)?.awaitingJoin) return true
    for (const member of this.members.values()) {
      if (member.awaitingJoin === null) continue
      this.#leader = member.id
      return true
    }
    return false
  }

  /** The protocol that most members prefer among those that all support. */
  selectProtocol(): string {
    const candidates = new Set([...this.#supporters].filter(([, count]) => count === this.members.size).map(([name]) => name))
    const votes = new Map<string, number>()
    for (const member of this.members.values()) {
      const choice = member.vote(candidates)
      votes.set(choice, (votes.get(choice) ?? 0) + 1)
    }
    let winner: [string, number] | undefined
    for (const entry of votes) if (winner === undefined || entry[1] > winner[1]) winner = entry
    assert(winner !== undefined, `group ${this.id} has no members to vote`)
    return winner[0]
  }

  startNextGeneration(now: number): void {
    this.#generation++
    this.#protocol = this.members.size === 0 ? null : this.selectProtocol()
    this.#subscribed = this.#computeSubscribed()
    this.transitionTo(this.members.size === 0 ? 'Empty' : 'CompletingRebalance', now)
    this.pendingSync.clear()
  }

  completeJoin(member: ClassicMember, reply: JoinGroupResponse): void {
    const waiting = member.awaitingJoin
    if (waiting === null) return
    member.awaitingJoin = null
    this.#awaitingJoin--
    waiting.complete(reply)
  }

  completeSync(member: ClassicMember, reply: SyncGroupResponse): boolean {
    const waiting = member.awaitingSync
    if (waiting === null) return false
    member.awaitingSync = null
    waiting.complete(reply)
    return true
  }

  /** The members as the leader sees them: with what each says under the chosen protocol. */
  membersForLeader(): JoinGroupResponseMember[] {
    const protocol = this.#protocol
    assert(protocol !== null, `group ${this.id} has no protocol in ${this.#state}`)
    return [...this.members.values()].map((member) => {
      return { memberId: member.id, groupInstanceId: member.instanceId, metadata: member.metadata(protocol) }
    })
  }

  /** The answer to a member's JoinGroup in the current generation. */
  joinReply(memberId: string): JoinGroupResponse {
    return {
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      generationId: this.#generation,
      protocolType: this.#protocolType,
      protocolName: this.#protocol,
      leader: this.#leader ?? '',
      skipAssignment: false,
      memberId,
      members: memberId === this.#leader ? this.membersForLeader() : [],
    }
  }

  syncReply(member: ClassicMember): SyncGroupResponse {
    const { assignment } = member
    return {
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      protocolType: this.#protocolType,
      protocolName: this.#protocol,
      assignment,
    }
  }

  /** A consumer group takes its place: no timer of it must fire any more. */
  retire(): void {
    this.joinDeadline?.cancel()
    this.syncDeadline?.cancel()
    for (const { session } of this.members.values()) session?.cancel()
    for (const id of this.pendingJoin.keys()) this.#forgetPending(id)
  }

  #forgetPending(memberId: string): void {
    this.pendingJoin.get(memberId)?.cancel()
    this.pendingJoin.delete(memberId)
  }

  #countSupporters(member: ClassicMember, by: 1 | -1): void {
    for (const { name } of member.protocols) {
      const count = (this.#supporters.get(name) ?? 0) + by
      if (count === 0) this.#supporters.delete(name)
      else this.#supporters.set(name, count)
    }
  }

  #computeSubscribed(): ReadonlySet<string> | null {
    if (!this.usesConsumerProtocol) return null
    if (this.members.size === 0) return new Set()
    const protocol = this.#protocol
    if (protocol === null) return null
    return subscribedTopics([...this.members.values()].map((member) => member.metadata(protocol)))
  }
}

export interface MemberTimeouts {
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
}

function pick(member: ClassicMember): Omit<ConstructorParameters<typeof ClassicMember>[0], 'id'> {
  const { instanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, protocols, assignment } = member
  return { instanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, protocols, assignment }
}
