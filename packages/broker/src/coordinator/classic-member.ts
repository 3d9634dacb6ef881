import type { JoinGroupResponse } from '@millrace/protocol/apis/join-group'
import type { SyncGroupResponse } from '@millrace/protocol/apis/sync-group'
import type { Deadline } from '../core/deadlines.ts'
import type { Deferred } from '../core/deferred.ts'

const EMPTY: Buffer = Buffer.alloc(0)

/** One assignor that a member supports, with what the member tells the leader under it. Preferred ones first. */
export interface MemberProtocol {
  readonly name: string
  readonly metadata: Buffer
}

export interface MemberInit {
  readonly id: string
  /** Static membership (KIP-345); null for a dynamic member. */
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly protocols: readonly MemberProtocol[]
  readonly assignment?: Buffer
}

/** A member of a classic group, with the requests of its that wait for an answer. */
export class ClassicMember {
  readonly id: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  rebalanceTimeoutMs: number
  sessionTimeoutMs: number
  protocols: readonly MemberProtocol[]
  assignment: Buffer
  /** Answered when the join phase is over. */
  awaitingJoin: Deferred<JoinGroupResponse> | null = null
  /** Answered when the leader's assignment came. */
  awaitingSync: Deferred<SyncGroupResponse> | null = null
  /** Joined for the first time in this rebalance: it has no id to heartbeat with yet. */
  isNew = false
  /** When the member counts as gone. */
  session: Deadline | null = null

  constructor(init: MemberInit) {
    this.id = init.id
    this.instanceId = init.instanceId
    this.clientId = init.clientId
    this.clientHost = init.clientHost
    this.rebalanceTimeoutMs = init.rebalanceTimeoutMs
    this.sessionTimeoutMs = init.sessionTimeoutMs
    this.protocols = init.protocols
    this.assignment = init.assignment ?? EMPTY
  }

  metadata(protocol: string): Buffer {
    const found = this.protocols.find(({ name }) => name === protocol)
    if (found === undefined) throw new Error(`member ${this.id} does not support protocol ${protocol}`)
    return found.metadata
  }

  /** The member's first choice among the protocols that all support. */
  vote(candidates: ReadonlySet<string>): string {
    const choice = this.protocols.find(({ name }) => candidates.has(name))
    if (choice === undefined) throw new Error(`member ${this.id} supports none of ${[...candidates].join(', ')}`)
    return choice.name
  }

  /** Whether the member would join with the same protocols in the same order. */
  matches(protocols: readonly MemberProtocol[]): boolean {
    if (protocols.length !== this.protocols.length) return false
    return protocols.every(
      ({ name, metadata }, i) => name === this.protocols[i]!.name && metadata.equals(this.protocols[i]!.metadata),
    )
  }
}

/** Copies the bytes that outlive the request frame they came in. */
export function keepProtocols(protocols: readonly MemberProtocol[]): MemberProtocol[] {
  return protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) }))
}
