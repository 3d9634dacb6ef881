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
import type { Handler, RequestContext } from '../core/handler.ts'
import { alterEach, alterErrors, configurableOf, type Configurable } from './configurable.ts'
import { isRefusal, refusal, type Refusal } from '../core/outcome.ts'

const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3

export const incrementalAlterConfigsHandler: Handler<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse> = {
  api: incrementalAlterConfigsApi,
  minVersion: 0,
  maxVersion: 1,
  errors: alterErrors(),
  handle({ resources, validateOnly }, context) {
    return { throttleTimeMs: 0, responses: alterEach(resources, (resource) => alter(resource, validateOnly, context)) }
  },
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
