import { messageOf } from '@millrace/protocol/internal'
import type { ConsumerRecord, ConsumerRecordHeader } from '../consumer-record.ts'
import { DEAD_LETTER_MESSAGE_BYTES_MAX, DEAD_LETTER_STACK_BYTES_MAX } from '../limits.ts'
import type { RecordCopy } from './run-options.ts'
import { classOf, propertyOf } from './thrown.ts'

// Spring Kafka's names and encodings (KafkaHeaders.DLT_*, RetryTopicHeaders): text in UTF-8, numbers big-endian.
const ORIGINAL_TOPIC = 'kafka_dlt-original-topic'
const ORIGINAL_PARTITION = 'kafka_dlt-original-partition'
const ORIGINAL_OFFSET = 'kafka_dlt-original-offset'
const ORIGINAL_TIMESTAMP = 'kafka_dlt-original-timestamp'
const ORIGINAL_TIMESTAMP_TYPE = 'kafka_dlt-original-timestamp-type'
const ORIGINAL_GROUP = 'kafka_dlt-original-consumer-group'
const EXCEPTION_CLASS = 'kafka_dlt-exception-fqcn'
const EXCEPTION_CAUSE_CLASS = 'kafka_dlt-exception-cause-fqcn'
const EXCEPTION_MESSAGE = 'kafka_dlt-exception-message'
const EXCEPTION_STACK = 'kafka_dlt-exception-stacktrace'
const ATTEMPTS = 'retry_topic-attempts'
const DUE_AT = 'retry_topic-backoff-timestamp'
/** Not Spring's: what Java says by the class, we say by a code. */
const EXCEPTION_CODE = 'kafka_dlt-exception-code'

/** These say where the record was first: what a first copy said stays. */
const ORIGINAL: ReadonlySet<string> = new Set([
  ORIGINAL_TOPIC,
  ORIGINAL_PARTITION,
  ORIGINAL_OFFSET,
  ORIGINAL_TIMESTAMP,
  ORIGINAL_TIMESTAMP_TYPE,
  ORIGINAL_GROUP,
])

/** These are of the last failure: those of an earlier one are replaced. */
const OF_FAILURE: ReadonlySet<string> = new Set([
  EXCEPTION_CLASS,
  EXCEPTION_CAUSE_CLASS,
  EXCEPTION_CODE,
  EXCEPTION_MESSAGE,
  EXCEPTION_STACK,
  ATTEMPTS,
  DUE_AT,
])

export interface CopyReason {
  readonly target: string
  readonly groupId: string | null
  /** How often the handler was called for the record by now, at all topics. */
  readonly attempts: number
  readonly error: unknown
  /** When it is to be handled again; null for never. */
  readonly dueAt: number | null
  readonly isLogAppendTime: boolean
}

/** The record as it goes to a retry or dead-letter topic: key, value and headers as they were, and ours behind them. */
export function copyOf(record: ConsumerRecord, reason: CopyReason): RecordCopy {
  const { target, error, dueAt } = reason
  const headers: ConsumerRecordHeader[] = record.headers.filter(([name]) => !OF_FAILURE.has(name))
  if (!headers.some(([name]) => ORIGINAL.has(name))) headers.push(...originOf(record, reason))
  headers.push([ATTEMPTS, int32(reason.attempts)], ...headersOf(error))
  if (dueAt !== null) headers.push([DUE_AT, int64(dueAt)])
  const { key, value } = record
  // No timestamp: with its own, an old record would soon be gone by `retention.ms`. It is in the headers.
  return { topic: target, key, value, headers }
}

/** When a record of a retry topic is to be handled again; 0 for at once. */
export function dueAtOf(headers: readonly ConsumerRecordHeader[]): number {
  return numberOf(lastOf(headers, DUE_AT), 8)
}

/** How often a record of a retry topic was tried before it came there. */
export function attemptsOf(headers: readonly ConsumerRecordHeader[]): number {
  return numberOf(lastOf(headers, ATTEMPTS), 4)
}

function originOf(record: ConsumerRecord, { groupId, isLogAppendTime }: CopyReason): ConsumerRecordHeader[] {
  const origin: ConsumerRecordHeader[] = [
    [ORIGINAL_TOPIC, Buffer.from(record.topic)],
    [ORIGINAL_PARTITION, int32(record.partition)],
    [ORIGINAL_OFFSET, int64(record.offset)],
    [ORIGINAL_TIMESTAMP, int64(record.timestamp)],
    [ORIGINAL_TIMESTAMP_TYPE, Buffer.from(isLogAppendTime ? 'LogAppendTime' : 'CreateTime')],
  ]
  if (groupId !== null) origin.push([ORIGINAL_GROUP, Buffer.from(groupId)])
  return origin
}

function headersOf(error: unknown): ConsumerRecordHeader[] {
  const headers: ConsumerRecordHeader[] = [[EXCEPTION_CLASS, Buffer.from(classOf(error))]]
  const cause = propertyOf(error, 'cause')
  const code = propertyOf(error, 'code')
  const stack = propertyOf(error, 'stack')
  if (cause !== undefined) headers.push([EXCEPTION_CAUSE_CLASS, Buffer.from(classOf(cause))])
  if (typeof code === 'string') headers.push([EXCEPTION_CODE, text(code, DEAD_LETTER_MESSAGE_BYTES_MAX)])
  headers.push([EXCEPTION_MESSAGE, text(messageOf(error), DEAD_LETTER_MESSAGE_BYTES_MAX)])
  if (typeof stack === 'string') headers.push([EXCEPTION_STACK, text(stack, DEAD_LETTER_STACK_BYTES_MAX)])
  return headers
}

/** Cut to so many bytes, between two characters. */
function text(value: string, maxBytes: number): Buffer {
  const bytes = Buffer.from(value)
  if (bytes.length <= maxBytes) return bytes
  let end = maxBytes
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(Math.min(value, 0x7fffffff))
  return bytes
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(value))
  return bytes
}

function lastOf(headers: readonly ConsumerRecordHeader[], name: string): Buffer | null {
  return headers.findLast((header) => header[0] === name)?.[1] ?? null
}

/** Big-endian in as many bytes as it takes (Spring writes a BigInteger); 0 for what is none, or negative. */
function numberOf(bytes: Buffer | null, maxBytes: number): number {
  if (bytes === null || bytes.length === 0 || bytes.length > maxBytes || bytes[0]! >= 0x80) return 0
  let value = 0
  for (const byte of bytes) value = value * 256 + byte
  return Number.isSafeInteger(value) ? value : 0
}
