import { KafkaError } from '@millrace/protocol'

export type BrokerStartErrorCode =
  | 'PORT_IN_USE'
  | 'PORT_FORBIDDEN'
  | 'LISTEN_FAILED'
  | 'DATA_DIR_UNUSABLE'
  | 'DATA_DIR_FOREIGN'
  | 'DATA_DIR_LOCKED'
  | 'DATA_DIR_CORRUPT'

/** A broker could not start. The message names the port or directory at fault and what to do about it. */
export class BrokerStartError extends KafkaError {
  override readonly name: string = 'BrokerStartError'
  declare readonly code: BrokerStartErrorCode

  constructor(code: BrokerStartErrorCode, message: string, cause?: unknown) {
    super(code, message, { cause })
  }
}
