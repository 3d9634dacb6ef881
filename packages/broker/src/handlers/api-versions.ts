/**
 * ApiVersions v0-5. Lists the APIs that have a handler, with the versions that the handler serves, and the features that are
 * finalized: `metadata.version` and `group.version`. transaction.version, share.version and streams.version are absent because
 * nothing here serves them yet. v5: a client that expects another cluster or node is told to bootstrap again (KIP-1242).
 */
import { ErrorCode } from '@millrace/protocol'
import { apiVersionsApi, type ApiVersionsRequest, type ApiVersionsResponse } from '@millrace/protocol/apis/api-versions'
import type { ServedApi } from '../core/api-router.ts'
import type { Handler, RequestContext } from '../core/handler.ts'
import { wholeErrors } from '../faults/error-shape.ts'
import { GROUP_VERSION } from '../metadata/controller.ts'

const PRODUCE_KEY = 0
/** Features that can be off; the level of the others is the only one. */
const SUPPORTED_FROM: ReadonlyMap<string, number> = new Map([[GROUP_VERSION, 0]])
/** Older clients cannot read that a feature is supported from 0 on (KAFKA-17492). */
const ZERO_LEVEL_SINCE = 4
const SOFTWARE_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

export const apiVersionsHandler: Handler<ApiVersionsRequest, ApiVersionsResponse> = {
  api: apiVersionsApi,
  minVersion: 0,
  maxVersion: 5,
  errors: wholeErrors((errorCode) => reply(errorCode, [])),
  handle(request, context) {
    const errorCode = check(request, context)
    if (errorCode !== ErrorCode.NONE) return reply(errorCode, [])
    if (context.version >= 3) {
      context.connection.clientSoftwareName = request.clientSoftwareName
      context.connection.clientSoftwareVersion = request.clientSoftwareVersion
    }
    const response = reply(ErrorCode.NONE, context.broker.served)
    for (const [name, level] of context.broker.image.features) {
      const from = SUPPORTED_FROM.get(name) ?? level
      const minVersion = context.version < ZERO_LEVEL_SINCE ? Math.max(from, 1) : from
      response.supportedFeatures.push({ name, minVersion, maxVersion: level })
      response.finalizedFeatures.push({ name, minVersionLevel: level, maxVersionLevel: level })
    }
    response.finalizedFeaturesEpoch = 0n
    return response
  },
}

function check(request: ApiVersionsRequest, { version, broker }: RequestContext): number {
  if (version < 3) return ErrorCode.NONE
  if (!SOFTWARE_NAME.test(request.clientSoftwareName)) return ErrorCode.INVALID_REQUEST
  if (!SOFTWARE_NAME.test(request.clientSoftwareVersion)) return ErrorCode.INVALID_REQUEST
  if (request.clusterId !== null && request.clusterId !== broker.clusterId) return ErrorCode.REBOOTSTRAP_REQUIRED
  if (request.nodeId !== -1 && request.nodeId !== broker.nodeId) return ErrorCode.REBOOTSTRAP_REQUIRED
  return ErrorCode.NONE
}

function reply(errorCode: number, served: readonly ServedApi[]): ApiVersionsResponse {
  return {
    errorCode,
    apiKeys: served.map(({ apiKey, minVersion, maxVersion }) => {
      // librdkafka detects features by Produce v0 (KAFKA-18659), so Kafka advertises it from 0 although it serves 3 and up.
      return { apiKey, minVersion: apiKey === PRODUCE_KEY ? 0 : minVersion, maxVersion }
    }),
    throttleTimeMs: 0,
    supportedFeatures: [],
    finalizedFeaturesEpoch: -1n,
    finalizedFeatures: [],
    zkMigrationReady: false,
  }
}
