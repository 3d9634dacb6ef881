import { ErrorCode } from '@millrace/protocol'

const COORDINATOR_ERRORS: ReadonlySet<number> = new Set([
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
])

const CONTROLLER_ERRORS: ReadonlySet<number> = new Set([ErrorCode.NOT_CONTROLLER])

const LEADER_ERRORS: ReadonlySet<number> = new Set([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.REPLICA_NOT_AVAILABLE,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.OFFSET_NOT_AVAILABLE,
])

const NODE_ERRORS: ReadonlySet<number> = new Set([ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS])

/** Whether the code says that the request went to the wrong broker, or to one that is not ready, so that it goes out again. */
export function isRoutingError(target: 'any' | 'controller' | object, code: number): boolean {
  if (target === 'controller') return CONTROLLER_ERRORS.has(code)
  if (target === 'any' || 'node' in target) return NODE_ERRORS.has(code)
  return 'topic' in target ? LEADER_ERRORS.has(code) : COORDINATOR_ERRORS.has(code)
}
