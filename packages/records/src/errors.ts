import { KafkaError } from '@millrace/protocol'

/** Where a batch stood when it was found bad. */
export interface BatchLocation {
  /** As its header says; null when the header itself is incomplete. */
  readonly baseOffset: number | null
  /** Byte position of the batch in the buffer it was read from. */
  readonly position: number
}

/** A batch or record whose bytes contradict themselves: a wrong CRC-32C, an impossible length or count. Code `CORRUPT_MESSAGE`. */
export class CorruptRecordError extends KafkaError {
  override readonly name: string = 'CorruptRecordError'
  readonly baseOffset: number | null
  readonly position: number

  constructor(location: BatchLocation, reason: string, cause?: unknown) {
    super('CORRUPT_MESSAGE', `record batch ${describeBatch(location)}: ${reason}`, { retriable: true, cause })
    this.baseOffset = location.baseOffset
    this.position = location.position
  }
}

/** A batch in a format other than v2: message sets v0 and v1, which no broker since Kafka 4.0 writes (KIP-724). Code `UNSUPPORTED_FOR_MESSAGE_FORMAT`. */
export class UnsupportedMagicError extends KafkaError {
  override readonly name: string = 'UnsupportedMagicError'
  readonly magic: number
  readonly baseOffset: number | null
  readonly position: number

  constructor(location: BatchLocation, magic: number) {
    super(
      'UNSUPPORTED_FOR_MESSAGE_FORMAT',
      `record batch ${describeBatch(location)}: magic ${magic}; only 2 (Kafka 0.11 and later) is supported`,
    )
    this.magic = magic
    this.baseOffset = location.baseOffset
    this.position = location.position
  }
}

/** Records of a batch were asked for after its memory was given back. Code `BATCH_DISPOSED`. */
export class BatchDisposedError extends KafkaError {
  override readonly name: string = 'BatchDisposedError'
  readonly topic: string
  readonly partition: number
  readonly baseOffset: number

  constructor(batch: { readonly topic: string; readonly partition: number; readonly baseOffset: number }) {
    const { topic, partition, baseOffset } = batch
    super(
      'BATCH_DISPOSED',
      `${topic}-${partition}: the batch from offset ${baseOffset} on was disposed of: its records are not in memory any more`,
    )
    this.topic = topic
    this.partition = partition
    this.baseOffset = baseOffset
  }
}

/** A batch that unpacks to more bytes than allowed. Thrown before the limit is passed. Code `DECOMPRESSION_LIMIT_EXCEEDED`. */
export class DecompressionLimitError extends KafkaError {
  override readonly name: string = 'DecompressionLimitError'
  readonly codec: string
  readonly compressedBytes: number
  readonly limitBytes: number

  constructor(codec: string, compressedBytes: number, limitBytes: number, batch?: BatchLocation) {
    const where = batch === undefined ? '' : `record batch ${describeBatch(batch)}: `
    super(
      'DECOMPRESSION_LIMIT_EXCEEDED',
      `${where}${compressedBytes} bytes of ${codec} unpack to more than the limit of ${limitBytes} bytes (maxDecompressedBytes)`,
    )
    this.codec = codec
    this.compressedBytes = compressedBytes
    this.limitBytes = limitBytes
  }
}

/** Compressed bytes that their codec cannot read. Inside a batch it becomes the `cause` of a `CorruptRecordError`. Code `CORRUPT_MESSAGE`. */
export class CorruptCompressionError extends KafkaError {
  override readonly name: string = 'CorruptCompressionError'

  constructor(codec: string, reason: string, cause?: unknown) {
    super('CORRUPT_MESSAGE', `${codec}: ${reason}`, { retriable: true, cause })
  }
}

/** A compression type that the batch names but Kafka does not define, or that this installation cannot write. Code `UNSUPPORTED_COMPRESSION_TYPE`. */
export class UnsupportedCompressionError extends KafkaError {
  override readonly name: string = 'UnsupportedCompressionError'

  constructor(message: string, cause?: unknown) {
    super('UNSUPPORTED_COMPRESSION_TYPE', message, { cause })
  }
}

/** A record that cannot be written: a timestamp, header or size outside what the format holds. Code `INVALID_RECORD`. */
export class InvalidRecordError extends KafkaError {
  override readonly name: string = 'InvalidRecordError'

  constructor(message: string) {
    super('INVALID_RECORD', message)
  }
}

function describeBatch(location: BatchLocation): string {
  const offset = location.baseOffset === null ? 'of unknown offset' : `at offset ${location.baseOffset}`
  return `${offset}, byte ${location.position}`
}
