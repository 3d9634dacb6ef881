import { KafkaError } from './kafka-error.ts'

/*
 * What to make of something caught. Applications throw into us from serializers, partitioners, handlers and listeners, and what they throw may
 * be anything, even a proxy whose every trap throws: none of these functions throws.
 */

/** What an error says; of whatever else was thrown, its text. */
export function messageOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown)
  } catch {
    return UNSHOWABLE
  }
}

/** `messageOf` with the error's name before it: for what was thrown by code whose errors have no code. */
export function nameAndMessageOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
  } catch {
    return UNSHOWABLE
  }
}

/** `instanceof`, which a proxy may answer by throwing. */
export function isA<Class>(thrown: unknown, type: abstract new (...args: never[]) => Class): thrown is Class {
  try {
    return thrown instanceof type
  } catch {
    return false
  }
}

/** The error itself if it is one of ours, else a KafkaError `UNEXPECTED_ERROR` of which it is the cause. */
export function asKafkaError(thrown: unknown): KafkaError {
  return isA(thrown, KafkaError) ? thrown : new KafkaError('UNEXPECTED_ERROR', messageOf(thrown), { cause: thrown })
}

const UNSHOWABLE = 'something that cannot be shown'
