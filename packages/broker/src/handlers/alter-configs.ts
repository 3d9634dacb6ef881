/**
 * AlterConfigs v0-2 for topics and groups: what is given replaces all that was set of a resource. Superseded by IncrementalAlterConfigs (KIP-339), and what
 * older clients send.
 */
import { ErrorCode } from '@millrace/protocol'
import {
  alterConfigsApi,
  type AlterConfigsRequest,
  type AlterConfigsResource,
  type AlterConfigsResponse,
} from '@millrace/protocol/apis/alter-configs'
import type { Handler, RequestContext } from '../core/handler.ts'
import { isRefusal, refusal, type Refusal } from '../core/outcome.ts'
import { alterEach, alterErrors, configurableOf } from './configurable.ts'

export const alterConfigsHandler: Handler<AlterConfigsRequest, AlterConfigsResponse> = {
  api: alterConfigsApi,
  minVersion: 0,
  maxVersion: 2,
  errors: alterErrors(),
  handle({ resources, validateOnly }, context) {
    return { throttleTimeMs: 0, responses: alterEach(resources, (resource) => replace(resource, validateOnly, context)) }
  },
}

function replace(resource: AlterConfigsResource, validateOnly: boolean, { broker, now }: RequestContext): Refusal | null {
  const configurable = configurableOf(resource, broker)
  if (isRefusal(configurable)) return configurable
  const changes = new Map<string, string | null>()
  for (const { name, value } of resource.configs) {
    if (changes.has(name)) return refusal(ErrorCode.INVALID_REQUEST, `Error due to duplicate config keys: ${name}`)
    if (value === null) return refusal(ErrorCode.INVALID_REQUEST, `Null value not supported for : ${name}`)
    changes.set(name, value)
  }
  for (const name of configurable.overrides.keys()) if (!changes.has(name)) changes.set(name, null)
  return configurable.alter(changes, validateOnly, now)
}
