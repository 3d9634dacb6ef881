import { ConfigError } from '@millrace/protocol'
import { integerOption, oneOfOption } from '@millrace/client/internal'
import type { PartitionAssignor } from '../assignors/assignor.ts'
import { cooperativeStickyAssignor } from '../assignors/cooperative-sticky.ts'
import { rangeAssignor } from '../assignors/range.ts'
import { roundRobinAssignor } from '../assignors/round-robin.ts'
import { stickyAssignor } from '../assignors/sticky.ts'
import { GROUP_ID_BYTES_MAX } from '../limits.ts'
import type { RebalanceListener } from './rebalance-listener.ts'

export type AssignorName = 'range' | 'roundrobin' | 'sticky' | 'cooperative-sticky'

/** How to be a member of the group. */
export interface MembershipOptions {
  /**
   * `'classic'`: members assign the partitions among themselves. `'consumer'`: the coordinator does, and untouched members never stop (KIP-848); the
   * broker must be of Kafka 4.0 or later, or have `group.version` 1. Default `'classic'`.
   */
  readonly groupProtocol?: 'classic' | 'consumer'
  /** With `groupProtocol: 'consumer'`: the coordinator's assignor, by name, such as `'uniform'` or `'range'`. Default: the coordinator's choice. */
  readonly groupRemoteAssignor?: string
  /** Without a heartbeat for so long, the coordinator gives the member's partitions to others. Default 45000. Not with `groupProtocol: 'consumer'`. */
  readonly sessionTimeoutMs?: number
  /** Default 3000; at most a third of `sessionTimeoutMs` makes sense. Not with `groupProtocol: 'consumer'`: there the coordinator tells. */
  readonly heartbeatIntervalMs?: number
  /** When the application asks for no record for so long, the member leaves, and others get its partitions. Default 300000. */
  readonly maxPollIntervalMs?: number
  /**
   * By name or of your own, in order of preference. Rebalances are cooperative when all of them can be, and stop everyone otherwise. Default
   * `['range', 'cooperative-sticky']`, from which a group moves on to `['cooperative-sticky']` member by member. Not with `groupProtocol: 'consumer'`.
   */
  readonly partitionAssignors?: ReadonlyArray<AssignorName | PartitionAssignor>
  /** Told of changes of the assignment, and awaited. Default: nobody is. */
  readonly rebalanceListener?: RebalanceListener
  /** Names a static member: it may be away for `sessionTimeoutMs` and get its partitions back (KIP-345). Default: none. */
  readonly groupInstanceId?: string
}

export interface MembershipConfig {
  readonly groupProtocol: 'classic' | 'consumer'
  readonly groupRemoteAssignor: string | null
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly maxPollIntervalMs: number
  readonly assignors: readonly PartitionAssignor[]
  readonly rebalanceListener: RebalanceListener | null
  readonly groupInstanceId: string | null
}

export const MEMBERSHIP_OPTION_NAMES: readonly string[] = [
  'groupProtocol',
  'groupRemoteAssignor',
  'sessionTimeoutMs',
  'heartbeatIntervalMs',
  'maxPollIntervalMs',
  'partitionAssignors',
  'rebalanceListener',
  'groupInstanceId',
]

/** What the coordinator decides under the protocol `consumer` (Java: CONSUMER_PROTOCOL_UNSUPPORTED_CONFIGS). */
const CLASSIC_ONLY = ['sessionTimeoutMs', 'heartbeatIntervalMs', 'partitionAssignors'] as const

const ASSIGNORS: Readonly<Record<AssignorName, PartitionAssignor>> = {
  range: rangeAssignor,
  roundrobin: roundRobinAssignor,
  sticky: stickyAssignor,
  'cooperative-sticky': cooperativeStickyAssignor,
}

/** @throws {ConfigError} */
export function resolveMembershipOptions(options: MembershipOptions): MembershipConfig {
  const groupProtocol = oneOfOption(options, 'groupProtocol', ['classic', 'consumer'], 'classic')
  refuseOthersOptions(options, groupProtocol)
  const sessionTimeoutMs = integerOption(options, 'sessionTimeoutMs', 45_000, 1)
  const heartbeatIntervalMs = integerOption(options, 'heartbeatIntervalMs', 3_000, 1)
  if (heartbeatIntervalMs >= sessionTimeoutMs) {
    throw new ConfigError('heartbeatIntervalMs', heartbeatIntervalMs, `less than sessionTimeoutMs, which is ${sessionTimeoutMs}`)
  }
  return {
    groupProtocol,
    groupRemoteAssignor: nameOrNull('groupRemoteAssignor', options.groupRemoteAssignor),
    sessionTimeoutMs,
    heartbeatIntervalMs,
    maxPollIntervalMs: integerOption(options, 'maxPollIntervalMs', 300_000, 1),
    assignors: assignorsOption(options.partitionAssignors),
    rebalanceListener: rebalanceListenerOption(options.rebalanceListener),
    groupInstanceId: nameOrNull('groupInstanceId', options.groupInstanceId),
  }
}

function refuseOthersOptions(options: MembershipOptions, groupProtocol: 'classic' | 'consumer'): void {
  if (groupProtocol === 'classic') {
    if (options.groupRemoteAssignor === undefined) return
    throw new ConfigError('groupRemoteAssignor', options.groupRemoteAssignor, "left out, unless groupProtocol is 'consumer'")
  }
  for (const option of CLASSIC_ONLY) {
    if (options[option] === undefined) continue
    throw new ConfigError(option, options[option], "left out with groupProtocol 'consumer': the coordinator decides it")
  }
}

function nameOrNull(option: string, value: unknown): string | null {
  if (value === undefined) return null
  if (typeof value === 'string' && value.length > 0 && Buffer.byteLength(value) <= GROUP_ID_BYTES_MAX) return value
  throw new ConfigError(option, value, `a string of 1 to ${GROUP_ID_BYTES_MAX} bytes`)
}

function assignorsOption(given: unknown): readonly PartitionAssignor[] {
  if (given === undefined) return [rangeAssignor, cooperativeStickyAssignor]
  const names = Object.keys(ASSIGNORS).map((name) => `'${name}'`)
  const allowed = `an array of ${names.join(', ')} and assignors of your own, at least one, each name once`
  if (!Array.isArray(given) || given.length === 0) throw new ConfigError('partitionAssignors', given, allowed)
  const assignors = (given as unknown[]).map((one) => assignorOf(one, allowed))
  if (new Set(assignors.map(({ name }) => name)).size < assignors.length)
    throw new ConfigError('partitionAssignors', given, allowed)
  // Members that share no protocol of the rebalance cannot be in one group (Java: ConsumerCoordinator).
  const common = (['eager', 'cooperative'] as const).some((protocol) =>
    assignors.every(({ protocols }) => protocols.includes(protocol)),
  )
  if (!common) throw new ConfigError('partitionAssignors', given, 'assignors that have a rebalance protocol in common')
  return assignors
}

function assignorOf(value: unknown, allowed: string): PartitionAssignor {
  if (typeof value === 'string' && Object.hasOwn(ASSIGNORS, value)) return ASSIGNORS[value as AssignorName]
  if (typeof value !== 'object' || value === null) throw new ConfigError('partitionAssignors', value, allowed)
  const { name, protocols, assign, subscriptionUserData } = value as Partial<PartitionAssignor>
  if (typeof name !== 'string' || name.length === 0) throw new ConfigError('partitionAssignors', value, 'an assignor with a name')
  const isList =
    Array.isArray(protocols) && protocols.length > 0 && protocols.every((one) => one === 'eager' || one === 'cooperative')
  if (!isList)
    throw new ConfigError(
      `partitionAssignors ${name}.protocols`,
      protocols,
      "an array of 'eager' and 'cooperative', at least one",
    )
  if (typeof assign !== 'function') throw new ConfigError(`partitionAssignors ${name}.assign`, assign, 'a function')
  if (subscriptionUserData !== undefined && typeof subscriptionUserData !== 'function') {
    throw new ConfigError(`partitionAssignors ${name}.subscriptionUserData`, subscriptionUserData, 'a function')
  }
  return value as PartitionAssignor
}

const REBALANCE_CALLS = ['assigned', 'revoked', 'lost'] as const

function rebalanceListenerOption(listener: unknown): RebalanceListener | null {
  if (listener === undefined) return null
  if (typeof listener !== 'object' || listener === null) {
    throw new ConfigError('rebalanceListener', listener, `an object with functions among ${REBALANCE_CALLS.join(', ')}`)
  }
  for (const call of REBALANCE_CALLS) {
    const value: unknown = (listener as RebalanceListener)[call]
    if (value !== undefined && typeof value !== 'function')
      throw new ConfigError(`rebalanceListener.${call}`, value, 'a function')
  }
  return listener
}
