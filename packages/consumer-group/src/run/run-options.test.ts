import { ConfigError } from '@millrace/protocol'
import { expect, test } from 'vitest'
import { DeserializationError } from '../errors.ts'
import { actionFor } from './failure-action.ts'
import { resolveRunOptions, type RunOptions } from './run-options.ts'

const eachRecord = (): void => {}
const eachBatch = (): void => {}
const producer = { send: (): Promise<void> => Promise.resolve() }

test('a handler is all that it takes', () => {
  expect(resolveRunOptions({ eachRecord })).toMatchObject({
    isBatched: false,
    concurrency: 1,
    orderedBy: 'partition',
    signal: null,
    drainTimeoutMs: 30_000,
    failures: { retries: 0, retryTopics: [], deadLetterTopic: null, onExhausted: 'stop', producer: null },
  })
  expect(resolveRunOptions({ eachBatch, orderedBy: 'none' })).toMatchObject({ isBatched: true, orderedBy: 'none' })
})

const WRONG: ReadonlyArray<readonly [option: string, options: unknown]> = [
  ['options', null],
  ['eachRecord', {}],
  ['eachRecord', { eachRecord: 'handle' }],
  ['eachBatch', { eachBatch: {} }],
  ['eachBatch', { eachRecord, eachBatch }],
  ['eachMessage', { eachMessage: eachRecord }],
  ['concurrency', { eachRecord, concurrency: 0 }],
  ['concurrency', { eachRecord, concurrency: 1.5 }],
  ['concurrency', { eachRecord, concurrency: 10_001 }],
  ['concurrency', { eachRecord, concurrency: '4' }],
  ['orderedBy', { eachRecord, orderedBy: 'topic' }],
  ['orderedBy', { eachBatch, orderedBy: 'key' }],
  ['signal', { eachRecord, signal: {} }],
  ['drainTimeoutMs', { eachRecord, drainTimeoutMs: -1 }],
  ['retry', { eachRecord, retry: 3 }],
  ['retry.retries', { eachRecord, retry: {} }],
  ['retry.retries', { eachRecord, retry: { retries: -1 } }],
  ['retry.backoffMs', { eachRecord, retry: { retries: 1, backoffMs: -1 } }],
  ['retry.backoffMaxMs', { eachRecord, retry: { retries: 1, backoffMaxMs: Number.NaN } }],
  ['retry.retriable', { eachRecord, retry: { retries: 1, retriable: true } }],
  ['attempts', { eachRecord, retry: { retries: 1, attempts: 2 } }],
  ['retryTopics', { eachRecord, producer, retryTopics: 'later' }],
  ['retryTopics', { eachRecord, producer, retryTopics: [null] }],
  ['retryTopics', { eachBatch, producer, retryTopics: [] }],
  ['retryTopics.topic', { eachRecord, producer, retryTopics: [{ topic: '', delayMs: 1 }] }],
  [
    'retryTopics.topic',
    {
      eachRecord,
      producer,
      retryTopics: [
        { topic: 'a', delayMs: 1 },
        { topic: 'a', delayMs: 2 },
      ],
    },
  ],
  ['retryTopics.delayMs', { eachRecord, producer, retryTopics: [{ topic: 'a' }] }],
  ['deadLetterTopic', { eachRecord, producer, deadLetterTopic: 'no/topic' }],
  ['deadLetterTopic', { eachRecord, producer, deadLetterTopic: 'a', retryTopics: [{ topic: 'a', delayMs: 1 }] }],
  ['onExhausted', { eachRecord, onExhausted: 'ignore' }],
  ['onExhausted', { eachRecord, producer, deadLetterTopic: 'a', onExhausted: 'skip' }],
  ['producer', { eachRecord, deadLetterTopic: 'a' }],
  ['producer', { eachRecord, retryTopics: [{ topic: 'a', delayMs: 1 }] }],
  ['producer', { eachRecord, producer: { produce: producer.send } }],
]

test.each(WRONG)('%s that makes no sense is refused by name', (option, options) => {
  const failure = (() => {
    try {
      return resolveRunOptions(options as RunOptions)
    } catch (error) {
      return error
    }
  })()
  expect(failure).toBeInstanceOf(ConfigError)
  expect(failure).toMatchObject({ code: 'INVALID_CONFIG', option })
})

test('attempts in place, then each retry topic, then the dead-letter topic', () => {
  const retryTopics = [
    { topic: 'later', delayMs: 10 },
    { topic: 'much-later', delayMs: 1_000 },
  ]
  const retry = { retries: 2, backoffMs: 100, backoffMaxMs: 150 }
  const { failures } = resolveRunOptions({ eachRecord, producer, retry, retryTopics, deadLetterTopic: 'dead' })
  const act = (topic: string, attemptsHere: number): unknown =>
    actionFor(failures, { topic, attemptsHere, isHandled: false, error: new Error('no') }, 0.5)
  expect(act('orders', 1)).toEqual({ action: 'retry', delayMs: 100 })
  expect(act('orders', 2)).toEqual({ action: 'retry', delayMs: 150 })
  expect(act('orders', 3)).toEqual({ action: 'retryTopic', target: 'later', delayMs: 10 })
  expect(act('later', 2)).toEqual({ action: 'retry', delayMs: 150 })
  expect(act('later', 3)).toEqual({ action: 'retryTopic', target: 'much-later', delayMs: 1_000 })
  expect(act('much-later', 3)).toEqual({ action: 'deadLetter', target: 'dead' })
})

test('what another attempt cannot help goes to the dead-letter topic at once, and what counts as handled nowhere', () => {
  const retry = { retries: 9, retriable: (error: unknown): boolean => !(error instanceof TypeError) }
  const retryTopics = [{ topic: 'later', delayMs: 10 }]
  const { failures } = resolveRunOptions({ eachRecord, producer, retry, retryTopics, deadLetterTopic: 'dead' })
  const failure = { topic: 'orders', attemptsHere: 1, isHandled: false }
  const record = { topic: 'orders', partition: 0, offset: 7, timestamp: 0, key: null, value: null, headers: [] }
  const poison = new DeserializationError(record, 'value', new Error('no'))
  const dead = { action: 'deadLetter', target: 'dead' }
  expect(actionFor(failures, { ...failure, error: new TypeError() }, 0.5)).toEqual(dead)
  expect(actionFor(failures, { ...failure, error: poison }, 0.5)).toEqual(dead)
  expect(actionFor(failures, { ...failure, error: new Error() }, 0.5)).toMatchObject({ action: 'retry' })
  expect(actionFor(failures, { ...failure, isHandled: true, error: new Error() }, 0.5)).toEqual({ action: 'stop' })
  const skipping = resolveRunOptions({ eachRecord, onExhausted: 'skip' }).failures
  expect(actionFor(skipping, { ...failure, error: new Error() }, 0.5)).toEqual({ action: 'skip' })
})
