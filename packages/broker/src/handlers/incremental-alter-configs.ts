/**
 * IncrementalAlterConfigs v0-1 for topics and groups: SET, DELETE, and APPEND and SUBTRACT on lists. All changes of one resource are made or
 * none. Broker settings are fixed at start, so altering them is refused, and so is what topics or groups do not honour.
 */
import { ErrorCode } from '@millrace/protocol'
import {
  incrementalAlterConfigsApi,
  type AlterConfigsResource,
  type IncrementalAlterConfigsRequest,
  type IncrementalAlterConfigsResponse,
} from '@millrace/protocol/apis/incremental-alter-configs'
import { ConfigType } from '../config/config-types.ts'
import { groupConfigValues } from '../config/group-config.ts'
import { GROUP_CONFIG_BY_NAME } from '../config/group-config-definitions.ts'
import type { OverriddenDefinition } from '../config/config-values.ts'
import { topicConfigValues } from '../config/topic-config.ts'
import { TOPIC_CONFIG_BY_NAME } from '../config/topic-config-definitions.ts'
import type { Handler, RequestContext } from '../core/handler.ts'
import { FAULT_MESSAGE, itemErrors, RESOURCES } from '../faults/error-shape.ts'
import { isRefusal, refusal, type Refusal } from '../core/outcome.ts'
import { BROKER_RESOURCE, GROUP_RESOURCE, TOPIC_RESOURCE } from '../metadata/metadata-record.ts'
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

/** What the configurations of one resource are, and how they change. */
interface Configurable {
  /** As in Kafka's messages. */
  readonly kind: 'topic' | 'group'
  readonly definitions: ReadonlyMap<string, OverriddenDefinition>
  /** What is in force now. */
  valueOf(definition: OverriddenDefinition): string
  alter(changes: ReadonlyMap<string, string | null>, validateOnly: boolean, now: number): Refusal | null
}

function alter(resource: AlterConfigsResource, validateOnly: boolean, { broker, now }: RequestContext): Refusal | null {
  const configurable = configurableOf(resource, broker)
  if (isRefusal(configurable)) return configurable
  const changes = new Map<string, string | null>()
  for (const { name, configOperation, value } of resource.configs) {
    if (changes.has(name)) return refusal(ErrorCode.INVALID_REQUEST, `Error due to duplicate config keys: ${name}`)
    const next = nextValue(configurable, name, configOperation, value)
    if (next !== null && typeof next !== 'string') return next
    changes.set(name, next)
  }
  return configurable.alter(changes, validateOnly, now)
}

function configurableOf(
  { resourceType, resourceName }: AlterConfigsResource,
  { image, config, controller }: RequestContext['broker'],
): Configurable | Refusal {
  if (resourceType === BROKER_RESOURCE) {
    return refusal(ErrorCode.INVALID_REQUEST, 'broker configurations are fixed when the broker starts')
  }
  if (resourceType === GROUP_RESOURCE) {
    if (resourceName === '') return refusal(ErrorCode.INVALID_REQUEST, 'Default group resources are not allowed.')
    return {
      kind: 'group',
      definitions: GROUP_CONFIG_BY_NAME,
      valueOf: (definition) => groupConfigValues(definition, image.groupConfigs(resourceName), config.given)[0]!.value,
      alter: (changes, validateOnly, now) => controller.alterGroupConfigs(resourceName, changes, validateOnly, now),
    }
  }
  if (resourceType !== TOPIC_RESOURCE) return refusal(ErrorCode.INVALID_REQUEST, `Unsupported resource type: ${resourceType}`)
  if (resourceName === '') return refusal(ErrorCode.INVALID_REQUEST, 'Default topic resources are not allowed.')
  const badName = invalidTopicName(resourceName)
  if (badName !== null) return refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, badName)
  return {
    kind: 'topic',
    definitions: TOPIC_CONFIG_BY_NAME,
    valueOf: (definition) => topicConfigValues(definition, image.topicConfigs(resourceName), config.given)[0]!.value,
    alter: (changes, validateOnly, now) => controller.alterTopicConfigs(resourceName, changes, validateOnly, now),
  }
}

function nextValue(resource: Configurable, name: string, operation: number, value: string | null): string | null | Refusal {
  if (operation === DELETE) return null
  if (operation !== SET && operation !== APPEND && operation !== SUBTRACT) {
    return refusal(ErrorCode.INVALID_REQUEST, `Unknown operation ${operation} on config ${name}`)
  }
  if (value === null) return refusal(ErrorCode.INVALID_REQUEST, `Null value not supported for : ${name}`)
  if (operation === SET) return value
  const definition = resource.definitions.get(name)
  if (definition === undefined) return refusal(ErrorCode.INVALID_CONFIG, `Unknown ${resource.kind} config name: ${name}`)
  if (definition.type !== ConfigType.LIST) {
    const verb = operation === APPEND ? 'APPEND' : 'SUBTRACT'
    return refusal(ErrorCode.INVALID_CONFIG, `Can't ${verb} to key ${name} because its type is not LIST.`)
  }
  const now = resource
    .valueOf(definition)
    .split(',')
    .filter((item) => item !== '')
  const items = value.split(',')
  const next =
    operation === APPEND ? [...now, ...items.filter((item) => !now.includes(item))] : now.filter((item) => !items.includes(item))
  return next.join(',')
}
