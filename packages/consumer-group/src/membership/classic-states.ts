import { ErrorCode } from '@millrace/protocol'

/**
 * `idle`: not started. `preparing`: gives up its partitions before it joins. `waiting`: joins after a backoff.
 * `joining`, `assigning` (the leader), `syncing`: in the exchange. `adopting`: gives up what went to others.
 * `stable`. `expired`: left, because the application made no progress. `left`, `failed`: over.
 */
export type MemberState =
  | 'idle'
  | 'preparing'
  | 'waiting'
  | 'joining'
  | 'assigning'
  | 'syncing'
  | 'adopting'
  | 'stable'
  | 'expired'
  | 'left'
  | 'failed'

export interface BackoffOptions {
  readonly retryBackoffMs: number
  readonly retryBackoffMaxMs: number
}

/** In these the coordinator expects heartbeats, once it gave a generation. */
export const HEARTBEATING: ReadonlySet<MemberState> = new Set([
  'preparing',
  'waiting',
  'assigning',
  'syncing',
  'adopting',
  'stable',
])

export function isCoordinatorError(errorCode: number): boolean {
  return errorCode === ErrorCode.COORDINATOR_NOT_AVAILABLE || errorCode === ErrorCode.NOT_COORDINATOR
}
