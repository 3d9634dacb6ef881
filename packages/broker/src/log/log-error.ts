import { KafkaError } from '@millrace/protocol'

/** What is wrong with one record of a produced batch. */
export interface RecordError {
  /** Position in the batch, from 0. */
  readonly index: number
  readonly message: string
}

/** Error codes of the log, by Kafka's names. None of them is UNKNOWN_SERVER_ERROR, on which producers lose count (KAFKA-14034). */
export type LogErrorCode =
  | 'CORRUPT_MESSAGE'
  | 'FENCED_LEADER_EPOCH'
  | 'INVALID_PRODUCER_EPOCH'
  | 'INVALID_RECORD'
  | 'INVALID_REQUIRED_ACKS'
  | 'INVALID_TIMESTAMP'
  | 'INVALID_TXN_STATE'
  | 'KAFKA_STORAGE_ERROR'
  | 'MESSAGE_TOO_LARGE'
  | 'OFFSET_OUT_OF_RANGE'
  | 'OUT_OF_ORDER_SEQUENCE_NUMBER'
  | 'RECORD_LIST_TOO_LARGE'
  | 'UNSUPPORTED_COMPRESSION_TYPE'

const RETRIABLE: ReadonlySet<LogErrorCode> = new Set<LogErrorCode>([
  'CORRUPT_MESSAGE',
  'FENCED_LEADER_EPOCH',
  'KAFKA_STORAGE_ERROR',
])

/** Why a log refuses a batch or a read. `code` is what goes to the client. */
export class LogError extends KafkaError {
  override readonly name: string = 'LogError'
  declare readonly code: LogErrorCode
  /** Which records are at fault, when it is not the batch as a whole; at most `RECORD_ERRORS_MAX`. */
  readonly recordErrors: readonly RecordError[]

  constructor(code: LogErrorCode, message: string, recordErrors: readonly RecordError[] = [], cause?: unknown) {
    super(code, message, { retriable: RETRIABLE.has(code), cause })
    this.recordErrors = recordErrors
  }
}
