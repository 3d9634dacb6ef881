import { ErrorCode } from '@millrace/protocol'
import {
  initProducerIdApi,
  type InitProducerIdRequest,
  type InitProducerIdResponse,
} from '@millrace/protocol/apis/init-producer-id'
import type { Handler } from '../core/handler.ts'
import { wholeErrors } from '../faults/error-shape.ts'

const NO_PRODUCER_ID = -1n
const NO_PRODUCER_EPOCH = -1

/**
 * InitProducerId for idempotent producers: each call gives a new id, never given before, with epoch 0, as Kafka does when there is no
 * transactional id. Transactions are not served: with a transactional id the answer is UNSUPPORTED_VERSION, which makes the Java client fail
 * at once and for good ("Unexpected error in InitProducerIdResponse; The version of API is not supported"), where a coordinator error would be retried.
 */
export const initProducerIdHandler: Handler<InitProducerIdRequest, InitProducerIdResponse> = {
  api: initProducerIdApi,
  minVersion: 0,
  maxVersion: 5,
  errors: wholeErrors(refuse),
  handle(request, { broker }) {
    if (request.transactionalId === '') return refuse(ErrorCode.INVALID_REQUEST)
    // The id and the epoch to go on from belong together.
    if ((request.producerId === NO_PRODUCER_ID) !== (request.producerEpoch === NO_PRODUCER_EPOCH)) {
      return refuse(ErrorCode.INVALID_REQUEST)
    }
    if (request.transactionalId !== null) return refuse(ErrorCode.UNSUPPORTED_VERSION)
    try {
      return respond(ErrorCode.NONE, BigInt(broker.producerIds.next()), 0)
    } catch {
      // The block of ids could not be reserved on disk; clients retry this one.
      return refuse(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    }
  },
}

function refuse(errorCode: number): InitProducerIdResponse {
  return respond(errorCode, NO_PRODUCER_ID, NO_PRODUCER_EPOCH)
}

function respond(errorCode: number, producerId: bigint, producerEpoch: number): InitProducerIdResponse {
  return { throttleTimeMs: 0, errorCode, producerId, producerEpoch, ongoingTxnProducerId: -1n, ongoingTxnProducerEpoch: -1 }
}
