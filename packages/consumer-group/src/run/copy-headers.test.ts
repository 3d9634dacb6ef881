import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ConsumerRecord } from '../consumer-record.ts'
import { DEAD_LETTER_MESSAGE_BYTES_MAX, DEAD_LETTER_STACK_BYTES_MAX } from '../limits.ts'
import { attemptsOf, copyOf, dueAtOf, type CopyReason } from './copy-headers.ts'

class BadOrder extends Error {
  readonly code = 'BAD_ORDER'
}

const record: ConsumerRecord = {
  topic: 'orders',
  partition: 3,
  offset: 2 ** 40,
  timestamp: 1_700_000_000_123,
  key: Buffer.from([0xff, 0]),
  value: null,
  headers: [
    ['trace', Buffer.from([0xfe])],
    ['trace', null],
  ],
}
const reason: CopyReason = {
  target: 'dead',
  groupId: 'billing',
  attempts: 4,
  error: new BadOrder('no such customer', { cause: new TypeError('null') }),
  dueAt: null,
  isLogAppendTime: false,
}
const int64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(value))
  return bytes
}

test("says what Spring Kafka's dead letters say, in the same bytes", () => {
  const copy = copyOf(record, reason)
  expect(copy).toMatchObject({ topic: 'dead', key: record.key, value: null })
  expect(copy.headers.slice(0, 2)).toEqual(record.headers)
  const headers = new Map(copy.headers.slice(2))
  const stack = headers.get('kafka_dlt-exception-stacktrace')
  headers.delete('kafka_dlt-exception-stacktrace')
  expect(headers).toEqual(
    new Map([
      ['kafka_dlt-original-topic', Buffer.from('orders')],
      ['kafka_dlt-original-partition', Buffer.from([0, 0, 0, 3])],
      ['kafka_dlt-original-offset', int64(2 ** 40)],
      ['kafka_dlt-original-timestamp', int64(1_700_000_000_123)],
      ['kafka_dlt-original-timestamp-type', Buffer.from('CreateTime')],
      ['kafka_dlt-original-consumer-group', Buffer.from('billing')],
      ['retry_topic-attempts', Buffer.from([0, 0, 0, 4])],
      ['kafka_dlt-exception-fqcn', Buffer.from('BadOrder')],
      ['kafka_dlt-exception-cause-fqcn', Buffer.from('TypeError')],
      ['kafka_dlt-exception-code', Buffer.from('BAD_ORDER')],
      ['kafka_dlt-exception-message', Buffer.from('no such customer')],
    ]),
  )
  expect(String(stack)).toContain('copy-headers.test.ts')
})

test('a copy of a copy says where the record was first, and of failures the last only', () => {
  const first = copyOf(record, { ...reason, target: 'later', dueAt: 1_000 })
  expect([dueAtOf(first.headers), attemptsOf(first.headers)]).toEqual([1_000, 4])
  const again: ConsumerRecord = { ...record, ...first, partition: 0, offset: 9, timestamp: 1 }
  const second = copyOf(again, { ...reason, attempts: 8, error: 'gave up', isLogAppendTime: true })
  const names = second.headers.map(([name]) => name)
  expect(names.slice(2).toSorted()).toEqual([...new Set(names.slice(2))].toSorted())
  const headers = new Map(second.headers)
  expect(String(headers.get('kafka_dlt-original-topic'))).toBe('orders')
  expect(headers.get('kafka_dlt-original-offset')).toEqual(int64(2 ** 40))
  expect(String(headers.get('kafka_dlt-exception-fqcn'))).toBe('string')
  expect(String(headers.get('kafka_dlt-exception-message'))).toBe('gave up')
  expect(headers.has('kafka_dlt-exception-stacktrace')).toBe(false)
  expect([dueAtOf(second.headers), attemptsOf(second.headers)]).toEqual([0, 8])
})

test('long messages and stacks are cut between two characters', () => {
  const error = new Error('ä'.repeat(DEAD_LETTER_MESSAGE_BYTES_MAX))
  error.stack = `x${'ä'.repeat(DEAD_LETTER_STACK_BYTES_MAX)}`
  const headers = new Map(copyOf(record, { ...reason, error }).headers)
  expect(String(headers.get('kafka_dlt-exception-message'))).toBe('ä'.repeat(DEAD_LETTER_MESSAGE_BYTES_MAX / 2))
  expect(String(headers.get('kafka_dlt-exception-stacktrace'))).toBe(`x${'ä'.repeat(DEAD_LETTER_STACK_BYTES_MAX / 2 - 1)}`)
})

test('whatever others write there is a number, or nothing', () => {
  const property = fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
    const due = dueAtOf([['retry_topic-backoff-timestamp', Buffer.from(bytes)]])
    expect(Number.isSafeInteger(due) && due >= 0).toBe(true)
    const attempts = attemptsOf([['retry_topic-attempts', Buffer.from(bytes)]])
    expect(attempts).toBeLessThanOrEqual(0x7fffffff)
  })
  fc.assert(property)
  // As Java's BigInteger writes it, without leading zeros.
  expect(dueAtOf([['retry_topic-backoff-timestamp', Buffer.from('018bcfe5687b', 'hex')]])).toBe(0x018bcfe5687b)
  expect(dueAtOf([['retry_topic-backoff-timestamp', null]])).toBe(0)
})
