import { isA } from '@millrace/protocol/internal'
import { DeserializationError } from '../errors.ts'
import type { FailurePolicy } from './run-options.ts'

/** What is done about a record whose handler failed. `'retryTopic'`, `'deadLetter'`: it is copied to `target`, and was handled once the copy is stored. */
export type FailureAction =
  | { readonly action: 'retry'; readonly delayMs: number }
  | { readonly action: 'retryTopic'; readonly target: string; readonly delayMs: number }
  | { readonly action: 'deadLetter'; readonly target: string }
  | { readonly action: 'skip' }
  | { readonly action: 'stop' }

export interface Failure {
  /** Where the record comes from. */
  readonly topic: string
  /** Attempts at this topic: 1 after the first. */
  readonly attemptsHere: number
  /** All of it counts as handled already, by the handler's own word: nothing can be tried again or sent elsewhere. */
  readonly isHandled: boolean
  readonly error: unknown
}

/**
 * Attempts in place, then the retry topics one after another, then the dead-letter topic, then what `onExhausted` says. What is not retriable skips the first two.
 * @param random at least 0 and below 1
 * @throws what `retriable` throws
 */
export function actionFor(policy: FailurePolicy, failure: Failure, random: number): FailureAction {
  const { topic, attemptsHere, error } = failure
  const { retryTopics, deadLetterTopic, onExhausted } = policy
  if (failure.isHandled) return { action: onExhausted }
  if (!isA(error, DeserializationError) && policy.retriable(error)) {
    if (attemptsHere <= policy.retries) return { action: 'retry', delayMs: policy.backoff.delayMs(attemptsHere - 1, random) }
    const next = retryTopics[retryTopics.findIndex((one) => one.topic === topic) + 1]
    if (next !== undefined) return { action: 'retryTopic', target: next.topic, delayMs: next.delayMs }
  }
  return deadLetterTopic === null ? { action: onExhausted } : { action: 'deadLetter', target: deadLetterTopic }
}
