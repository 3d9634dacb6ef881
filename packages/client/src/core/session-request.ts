import type { AnyApi, Api, KafkaError } from '@millrace/protocol'

/** A request's body, or a function that makes it once the version is known. */
export type RequestBody<Request> = Request | ((version: number) => Request)

/** One request on its way through a session. `Owner` is whatever the shell needs to settle it. */
export interface SessionRequest<Owner = unknown> {
  readonly api: AnyApi
  readonly body: RequestBody<unknown>
  /** No higher version is used, even if both sides know one. */
  readonly maxVersion: number
  /** When its answer must be there, in the clock's milliseconds. */
  readonly deadline: number
  readonly timeoutMs: number
  /** The broker answers nothing (Produce with acks=0): settled as soon as it is written. */
  readonly noResponse: boolean
  readonly owner: Owner
  state: 'queued' | 'sent' | 'abandoned' | 'settled'
  version: number
  correlationId: number
  sentAt: number
  /** When an answer is so late that the connection is taken for dead: never before `requestTimeoutMs`, however little time the caller had. */
  hardDeadline: number
}

export interface SessionRequestOptions {
  readonly deadline: number
  readonly timeoutMs: number
  readonly noResponse?: boolean | undefined
  readonly maxVersion?: number | undefined
}

export function sessionRequest<Request, Response, Owner>(
  api: Api<Request, Response>,
  body: RequestBody<Request>,
  options: SessionRequestOptions,
  owner: Owner,
): SessionRequest<Owner> {
  return {
    api,
    body,
    maxVersion: options.maxVersion ?? api.maxVersion,
    deadline: options.deadline,
    timeoutMs: options.timeoutMs,
    noResponse: options.noResponse ?? false,
    owner,
    state: 'queued',
    version: -1,
    correlationId: -1,
    sentAt: -1,
    hardDeadline: Infinity,
  }
}

/** What a session wants done, in this order. */
export type SessionEffect<Owner> =
  | { readonly type: 'write'; readonly chunks: readonly Buffer[] }
  /** Negotiation, and authentication if there is any, are done. */
  | { readonly type: 'ready' }
  | { readonly type: 'response'; readonly request: SessionRequest<Owner>; readonly response: unknown }
  | { readonly type: 'failure'; readonly request: SessionRequest<Owner>; readonly error: KafkaError }
  /** The transport must be destroyed. Every request has its failure before this. */
  | { readonly type: 'close'; readonly error: KafkaError | null }
