/**
 * ListConfigResources v0-1 (KIP-1142): what has configurations. Topics and this broker, and the groups that have a configuration of their own. There are none of
 * the types that Kafka lists besides (broker loggers, client metrics, which is all that v0 asks for).
 */
import { ErrorCode } from '@millrace/protocol'
import {
  listConfigResourcesApi,
  type ListConfigResourcesRequest,
  type ListConfigResourcesResponse,
} from '@millrace/protocol/apis/list-config-resources'
import type { Handler, RequestContext } from '../core/handler.ts'
import { wholeErrors } from '../faults/error-shape.ts'
import { BROKER_RESOURCE, GROUP_RESOURCE, TOPIC_RESOURCE } from '../metadata/metadata-record.ts'

const BROKER_LOGGER_RESOURCE = 8
const CLIENT_METRICS_RESOURCE = 16

type NamesOf = (broker: RequestContext['broker']) => string[]

const NAMES: ReadonlyMap<number, NamesOf> = new Map<number, NamesOf>([
  [TOPIC_RESOURCE, ({ image }) => [...image.topics()].map(({ name }) => name)],
  [BROKER_RESOURCE, ({ nodeId }) => [String(nodeId)]],
  [BROKER_LOGGER_RESOURCE, () => []],
  [CLIENT_METRICS_RESOURCE, () => []],
  [GROUP_RESOURCE, ({ image }) => [...image.configuredGroups()]],
])

export const listConfigResourcesHandler: Handler<ListConfigResourcesRequest, ListConfigResourcesResponse> = {
  api: listConfigResourcesApi,
  minVersion: 0,
  maxVersion: 1,
  errors: wholeErrors((errorCode) => ({ throttleTimeMs: 0, errorCode, configResources: [] })),
  handle({ resourceTypes }, { broker, version }) {
    if (version === 0) return answer(ErrorCode.NONE, [])
    if (resourceTypes.some((type) => !NAMES.has(type))) return answer(ErrorCode.UNSUPPORTED_VERSION, [])
    const wanted = resourceTypes.length === 0 ? [...NAMES.keys()] : [...new Set(resourceTypes)]
    const configResources = wanted.flatMap((resourceType) =>
      NAMES.get(resourceType)!(broker).map((resourceName) => ({ resourceName, resourceType })),
    )
    return answer(ErrorCode.NONE, configResources)
  },
}

function answer(errorCode: number, configResources: ListConfigResourcesResponse['configResources']): ListConfigResourcesResponse {
  return { throttleTimeMs: 0, errorCode, configResources }
}
