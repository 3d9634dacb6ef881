import { errorName, KafkaError } from '@millrace/protocol'
import { messageOf } from '@millrace/protocol/internal'
import type { TopicPartition } from '../topic-partition.ts'

/** A record, or a batch from some offset on. */
export interface HandledPlace extends TopicPartition {
  readonly offset: number
}

/**
 * A handler of `run` failed, for as often as it may: `cause` is what it threw. The record, or in a batch the first that was not handled, is `offset`; nothing
 * from there on is committed. Code `HANDLER_FAILED`.
 */
export class HandlerError extends KafkaError {
  override readonly name: string = 'HandlerError'
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** How often the handler was called for it. */
  readonly attempts: number

  constructor({ topic, partition, offset }: HandledPlace, attempts: number, cause: unknown) {
    const tries = attempts === 1 ? '' : ` ${attempts} times`
    super('HANDLER_FAILED', `${topic}-${partition} at offset ${offset}: the handler failed${tries}: ${messageOf(cause)}`, {
      cause,
    })
    this.topic = topic
    this.partition = partition
    this.offset = offset
    this.attempts = attempts
  }
}

/**
 * A record whose handler failed could not be sent to a retry or dead-letter topic, so that it was not handled: `cause` is what `producer.send` threw. Code
 * `RECORD_COPY_FAILED`.
 */
export class RecordCopyError extends KafkaError {
  override readonly name: string = 'RecordCopyError'
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Where it should have gone. */
  readonly target: string
  /** What the handler threw. */
  readonly handlerError: unknown

  constructor({ topic, partition, offset }: HandledPlace, target: string, handlerError: unknown, cause: unknown) {
    const what = `${topic}-${partition} at offset ${offset}`
    super('RECORD_COPY_FAILED', `${what}: sending the record to ${target}, as its handler failed: ${messageOf(cause)}`, { cause })
    this.topic = topic
    this.partition = partition
    this.offset = offset
    this.target = target
    this.handlerError = handlerError
  }
}

/**
 * A topic that `run` is to send records to, whose handlers fail, is not there, and the brokers do not create it. Code `UNKNOWN_TOPIC_OR_PARTITION`, or
 * `INVALID_TOPIC_EXCEPTION` for a name that the brokers do not take.
 */
export class MissingTopicError extends KafkaError {
  override readonly name: string = 'MissingTopicError'
  readonly topic: string
  /** That names it. */
  readonly option: string

  constructor(topic: string, option: string, errorCode: number) {
    super(errorName(errorCode), `${option}: the topic ${topic} does not exist, and the brokers do not create it`)
    this.topic = topic
    this.option = option
  }
}
