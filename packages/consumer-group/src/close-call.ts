import { integerOption, oneOfOption, refuseUnknownOptions } from '@millrace/client/internal'
import type { LeaveOperation } from './membership/membership.ts'

export interface ConsumerCloseOptions {
  /**
   * What becomes of the membership (KIP-1092). `'default'`: a dynamic member leaves the group, whose partitions then go to others at once; a static one (`groupInstanceId`)
   * stays in it and may be back before its session ends. `'leave'`: both leave. `'remain'`: both stay until their session ends, and nothing is rebalanced before; a dynamic
   * one cannot come back as the same member. Default `'default'`.
   */
  readonly groupMembershipOperation?: LeaveOperation
  /** How long handlers of `run` may take to end, at most: then their signals are aborted, and their records come again. Default: its `drainTimeoutMs`. */
  readonly timeoutMs?: number
}

interface CloseConfig {
  readonly groupMembershipOperation: LeaveOperation
  /** Undefined: as the run has it. */
  readonly timeoutMs: number | undefined
}

const OPTION_NAMES = ['groupMembershipOperation', 'timeoutMs']

const OPERATIONS: readonly LeaveOperation[] = ['default', 'leave', 'remain']

/** @throws {ConfigError} */
export function closeOptions(options: ConsumerCloseOptions): CloseConfig {
  refuseUnknownOptions(options, OPTION_NAMES)
  return {
    groupMembershipOperation: oneOfOption(options, 'groupMembershipOperation', OPERATIONS, 'default'),
    timeoutMs: options.timeoutMs === undefined ? undefined : integerOption(options, 'timeoutMs', 0, 0),
  }
}
