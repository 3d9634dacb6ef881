import { ErrorCode } from '@millrace/protocol'

/**
 * Where a request goes. `'any'`: the broker with the least to do. `'controller'`: the broker that speaks for the controller.
 * `{ node }`: that broker. `{ group }` and `{ transactionalId }`: its coordinator. `{ topic, partition }`: its leader.
 */
export type Target =
  | 'any'
  | 'controller'
  | { readonly node: number }
  | { readonly group: string }
  | { readonly transactionalId: string }
  | { readonly topic: string; readonly partition: number }

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
  /** For the whole call, with its retries. Default `defaultApiTimeoutMs`. */
  readonly timeoutMs?: number | undefined
}

export interface SendOptions<Response> extends WaitOptions {
  /** Which of the node's connections. Default `'main'`; for coordinators `'coordinator'`. */
  readonly role?: string | undefined
  /** For one attempt. Default the client's `requestTimeoutMs`. */
  readonly requestTimeoutMs?: number | undefined
  readonly maxVersion?: number | undefined
  /** False: one attempt, and whatever comes of it. Default true. */
  readonly retry?: boolean | undefined
  /**
   * The error in a response that decides whether the target was the wrong one, or is not ready, and the request goes out again.
   * Default: the `errorCode` at the top of the response. Other errors are the caller's to find in the response.
   */
  readonly errorOf?: ((response: Response) => number) | undefined
}

/** The error code at the top of a response; 0 if it has none there. */
export function topErrorCode(response: unknown): number {
  const code = (response as { errorCode?: unknown } | undefined)?.errorCode
  return typeof code === 'number' ? code : ErrorCode.NONE
}
