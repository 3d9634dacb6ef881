/**
 * IncrementalAlterConfigs v0-1 for topics: SET, DELETE, and APPEND and SUBTRACT on lists. All changes of one resource are made or
 * none. Broker settings are fixed at start, so altering them is refused, and so is what topics do not honour.
 */
import { ErrorCode } from '@millrace/protocol'
import {
  incrementalAlterConfigsApi,
  type AlterConfigsResource,
  type IncrementalAlterConfigsRequest,
  type IncrementalAlterConfigsResponse,
} from '@millrace/protocol/apis/incremental-alter-configs'
import { ConfigType } from '../config/config-types.ts'
import { topicConfigValues } from '../config/topic-config.ts'
import { TOPIC_CONFIG_BY_NAME } from '../config/topic-config-definitions.ts'
import type { Handler, RequestContext } from '../core/handler.ts'
import { FAULT_MESSAGE, itemErrors, RESOURCES } from '../faults/error-shape.ts'
import { refusal, type Refusal } from '../core/outcome.ts'
import { BROKER_RESOURCE, TOPIC_RESOURCE } from '../metadata/metadata-record.ts'
import { invalidTopicName } from '../metadata/topic-name.ts'

const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3

export const incrementalAlterConfigsHandler: Handler<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse> = {
  api: incrementalAlterConfigsApi,
  minVersion: 0,
  maxVersion: 1,
  errors: itemErrors({
    ...RESOURCES,
    items: ({ resources }: IncrementalAlterConfigsRequest) => resources,
    withItems: (request, resources) => ({ ...request, resources }),
    answers: ({ responses }) => responses,
    failed: ({ resourceType, resourceName }, errorCode) => {
      return { errorCode, errorMessage: FAULT_MESSAGE, resourceType, resourceName }
    },
  }),
  handle(request, context) {
    const count = new Map<string, number>()
    for (const resource of request.resources) count.set(keyOf(resource), (count.get(keyOf(resource)) ?? 0) + 1)
    const responses = request.resources.map((resource) => {
      const failed =
        count.get(keyOf(resource))! > 1
          ? refusal(ErrorCode.INVALID_REQUEST, 'Each resource must appear at most once.')
          : alter(resource, request.validateOnly, context)
      const { resourceType, resourceName } = resource
      return {
        errorCode: failed?.errorCode ?? ErrorCode.NONE,
        errorMessage: failed?.errorMessage ?? null,
        resourceType,
        resourceName,
      }
    })
    return { throttleTimeMs: 0, responses }
  },
}

function keyOf({ resourceType, resourceName }: AlterConfigsResource): string {
  return `${resourceType} ${resourceName}`
}

function alter(resource: AlterConfigsResource, validateOnly: boolean, { broker, now }: RequestContext): Refusal | null {
  if (resource.resourceType === BROKER_RESOURCE) {
    return refusal(ErrorCode.INVALID_REQUEST, 'broker configurations are fixed when the broker starts')
  }
  if (resource.resourceType !== TOPIC_RESOURCE) {
    return refusal(ErrorCode.INVALID_REQUEST, `Unsupported resource type: ${resource.resourceType}`)
  }
  if (resource.resourceName === '') return refusal(ErrorCode.INVALID_REQUEST, 'Default topic resources are not allowed.')
  const badName = invalidTopicName(resource.resourceName)
  if (badName !== null) return refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, badName)
  const changes = new Map<string, string | null>()
  for (const { name, configOperation, value } of resource.configs) {
    if (changes.has(name)) return refusal(ErrorCode.INVALID_REQUEST, `Error due to duplicate config keys: ${name}`)
    const next = nextValue(resource.resourceName, name, configOperation, value, broker)
    if (next !== null && typeof next !== 'string') return next
    changes.set(name, next)
  }
  return broker.controller.alterTopicConfigs(resource.resourceName, changes, validateOnly, now)
}

function nextValue(
  topic: string,
  name: string,
  operation: number,
  value: string | null,
  broker: RequestContext['broker'],
): string | null | Refusal {
  if (operation === DELETE) return null
  if (operation !== SET && operation !== APPEND && operation !== SUBTRACT) {
    return refusal(ErrorCode.INVALID_REQUEST, `Unknown operation ${operation} on config ${name}`)
  }
  if (value === null) return refusal(ErrorCode.INVALID_REQUEST, `Null value not supported for : ${name}`)
  if (operation === SET) return value
  const definition = TOPIC_CONFIG_BY_NAME.get(name)
  if (definition === undefined) return refusal(ErrorCode.INVALID_CONFIG, `Unknown topic config name: ${name}`)
  if (definition.type !== ConfigType.LIST) {
    const verb = operation === APPEND ? 'APPEND' : 'SUBTRACT'
    return refusal(ErrorCode.INVALID_CONFIG, `Can't ${verb} to key ${name} because its type is not LIST.`)
  }
  const [current] = topicConfigValues(definition, broker.image.topicConfigs(topic), broker.config.given)
  const now = current!.value.split(',').filter((item) => item !== '')
  const items = value.split(',')
  const next =
    operation === APPEND ? [...now, ...items.filter((item) => !now.includes(item))] : now.filter((item) => !items.includes(item))
  return next.join(',')
}
