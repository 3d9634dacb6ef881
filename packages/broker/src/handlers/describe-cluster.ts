/** DescribeCluster v0-2, for the broker's endpoint. There is no separate controller endpoint, and no broker is ever fenced. */
import { ErrorCode } from '@millrace/protocol'
import {
  describeClusterApi,
  type DescribeClusterRequest,
  type DescribeClusterResponse,
} from '@millrace/protocol/apis/describe-cluster'
import type { Handler } from '../core/handler.ts'
import { FAULT_MESSAGE, wholeErrors } from '../faults/error-shape.ts'
import { refusal, type Refusal } from '../core/outcome.ts'
import { CLUSTER_OPERATIONS, OPERATIONS_OMITTED } from './authorized-operations.ts'

const BROKER_ENDPOINT = 1
const CONTROLLER_ENDPOINT = 2

export const describeClusterHandler: Handler<DescribeClusterRequest, DescribeClusterResponse> = {
  api: describeClusterApi,
  minVersion: 0,
  maxVersion: 2,
  errors: wholeErrors((errorCode) => ({
    throttleTimeMs: 0,
    errorCode,
    errorMessage: FAULT_MESSAGE,
    endpointType: BROKER_ENDPOINT,
    clusterId: '',
    controllerId: -1,
    brokers: [],
    clusterAuthorizedOperations: OPERATIONS_OMITTED,
  })),
  handle(request, { broker }) {
    const { host, port } = broker.endpoint
    const wrong = checkEndpointType(request.endpointType)
    return {
      throttleTimeMs: 0,
      errorCode: wrong?.errorCode ?? ErrorCode.NONE,
      errorMessage: wrong?.errorMessage ?? null,
      endpointType: BROKER_ENDPOINT,
      clusterId: broker.clusterId,
      controllerId: broker.nodeId,
      brokers: wrong === null ? [{ brokerId: broker.nodeId, host, port, rack: null, isFenced: false }] : [],
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : OPERATIONS_OMITTED,
    }
  },
}

function checkEndpointType(type: number): Refusal | null {
  if (type === BROKER_ENDPOINT) return null
  if (type === CONTROLLER_ENDPOINT) {
    const message = 'The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER'
    return refusal(ErrorCode.MISMATCHED_ENDPOINT_TYPE, message)
  }
  return refusal(ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, `Unsupported endpoint type ${type}`)
}
