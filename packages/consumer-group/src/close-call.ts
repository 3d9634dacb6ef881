import { oneOfOption } from '@millrace/client/internal'
import type { LeaveOperation } from './membership/membership.ts'

export interface CloseOptions {
  /**
   * What becomes of the membership (KIP-1092). `'default'`: a dynamic member leaves the group, whose partitions then go to others at once; a static one (`groupInstanceId`)
   * stays in it and may be back before its session ends. `'leave'`: both leave. `'remain'`: both stay until their session ends, and nothing is rebalanced before; a dynamic
   * one cannot come back as the same member. Default `'default'`.
   */
  readonly groupMembershipOperation?: LeaveOperation
}

const OPERATIONS: readonly LeaveOperation[] = ['default', 'leave', 'remain']

/** @throws {ConfigError} */
export function leaveOperation(options: CloseOptions): LeaveOperation {
  return oneOfOption(options, 'groupMembershipOperation', OPERATIONS, 'default')
}
