/**
 * FindCoordinator v0-6 for groups: this broker coordinates all of them. Transactions and share groups are not served, so their
 * coordinators are refused with INVALID_REQUEST, which clients take for final: a retriable error would let them wait for ever.
 */
import { ErrorCode } from '@millrace/protocol'
import {
  findCoordinatorApi,
  type Coordinator,
  type FindCoordinatorRequest,
  type FindCoordinatorResponse,
} from '@millrace/protocol/apis/find-coordinator'
import type { Handler, RequestContext } from '../core/handler.ts'
import { FAULT_MESSAGE, overwrittenErrors, type Target } from '../faults/error-shape.ts'
import { refusal, type Refusal } from '../core/outcome.ts'

const GROUP = 0
const UNSERVED: Readonly<Record<number, string>> = { 1: 'transactions', 2: 'share groups' }

export const findCoordinatorHandler: Handler<FindCoordinatorRequest, FindCoordinatorResponse> = {
  api: findCoordinatorApi,
  minVersion: 0,
  maxVersion: 6,
  errors: overwrittenErrors({
    selectors: ['group'],
    targets: (request, { version }) => {
      const keys = version >= 4 ? request.coordinatorKeys : [request.key]
      return keys.map((key) => targetOf(key, request.keyType))
    },
    overwrite(response, chosen, errorCode, { key, keyType }, { version }) {
      const failed = { nodeId: -1, host: '', port: -1, errorCode, errorMessage: FAULT_MESSAGE }
      if (version < 4) return chosen(targetOf(key, keyType)) ? { ...response, ...failed } : response
      const coordinators = response.coordinators.map((one) => {
        return chosen(targetOf(one.key, keyType)) ? { key: one.key, ...failed } : one
      })
      return { ...response, coordinators }
    },
  }),
  handle(request, context) {
    const failed = check(request.keyType, context)
    const batched = context.version >= 4
    const one = coordinator(request.key, failed, context)
    return {
      throttleTimeMs: 0,
      errorCode: batched ? ErrorCode.NONE : one.errorCode,
      errorMessage: batched ? null : one.errorMessage,
      nodeId: batched ? 0 : one.nodeId,
      host: batched ? '' : one.host,
      port: batched ? 0 : one.port,
      coordinators: batched ? request.coordinatorKeys.map((key) => coordinator(key, failed, context)) : [],
    }
  },
}

function check(keyType: number, { broker, now }: RequestContext): Refusal | null {
  if (keyType !== GROUP) {
    const what = UNSERVED[keyType]
    const message = what === undefined ? `Unknown coordinator key type ${keyType}` : `this broker does not serve ${what}`
    return refusal(ErrorCode.INVALID_REQUEST, message)
  }
  const error = broker.groups.ensureReady(now)
  return error === ErrorCode.NONE ? null : refusal(error, 'the offsets topic cannot be created')
}

function coordinator(key: string, failed: Refusal | null, { broker }: RequestContext): Coordinator {
  if (failed !== null) return { key, nodeId: -1, host: '', port: -1, ...failed }
  const { host, port } = broker.endpoint
  return { key, nodeId: broker.nodeId, host, port, errorCode: ErrorCode.NONE, errorMessage: null }
}

function targetOf(key: string, keyType: number): Target {
  return { topic: null, partition: null, group: keyType === GROUP ? key : null }
}
