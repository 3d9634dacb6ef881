/**
 * DescribeConfigs v1-4 for topics, groups and this broker. Values come with their source (topic, group, broker, default) and, when asked,
 * with synonyms and a description. Other resource types are refused: nothing of theirs can be set here.
 */
import { ErrorCode } from '@millrace/protocol'
import {
  describeConfigsApi,
  type DescribeConfigsRequest,
  type DescribeConfigsResource,
  type DescribeConfigsResourceResult,
  type DescribeConfigsResponse,
  type DescribeConfigsResult,
} from '@millrace/protocol/apis/describe-configs'
import { BROKER_CONFIGS } from '../config/broker-config-definitions.ts'
import { ConfigSource, type ConfigDefinition } from '../config/config-types.ts'
import type { ConfigValue } from '../config/config-values.ts'
import { groupConfigValues } from '../config/group-config.ts'
import { GROUP_CONFIGS } from '../config/group-config-definitions.ts'
import { topicConfigValues } from '../config/topic-config.ts'
import { TOPIC_CONFIGS } from '../config/topic-config-definitions.ts'
import type { Handler, RequestContext } from '../core/handler.ts'
import { FAULT_MESSAGE, itemErrors, RESOURCES } from '../faults/error-shape.ts'
import { isRefusal, refusal, type Refusal } from '../core/outcome.ts'
import { BROKER_RESOURCE, GROUP_RESOURCE, TOPIC_RESOURCE } from '../metadata/metadata-record.ts'
import { invalidTopicName } from '../metadata/topic-name.ts'

interface Entry {
  readonly definition: ConfigDefinition
  readonly values: readonly ConfigValue[]
  readonly readOnly: boolean
}

export const describeConfigsHandler: Handler<DescribeConfigsRequest, DescribeConfigsResponse> = {
  api: describeConfigsApi,
  minVersion: 1,
  maxVersion: 4,
  errors: itemErrors({
    ...RESOURCES,
    items: ({ resources }: DescribeConfigsRequest) => resources,
    withItems: (request, resources) => ({ ...request, resources }),
    answers: ({ results }) => results,
    failed: ({ resourceType, resourceName }, errorCode) => {
      return { errorCode, errorMessage: FAULT_MESSAGE, resourceType, resourceName, configs: [] }
    },
  }),
  handle(request, context) {
    return { throttleTimeMs: 0, results: request.resources.map((resource) => describe(resource, request, context)) }
  },
}

function describe(
  resource: DescribeConfigsResource,
  request: DescribeConfigsRequest,
  context: RequestContext,
): DescribeConfigsResult {
  const { resourceType, resourceName, configurationKeys } = resource
  const entries = entriesOf(resource, context)
  if (isRefusal(entries)) return { ...entries, resourceType, resourceName, configs: [] }
  // librdkafka sends an empty list where others send null: both mean all.
  const wanted = configurationKeys === null || configurationKeys.length === 0 ? null : new Set(configurationKeys)
  const configs = entries
    .filter(({ definition }) => wanted === null || wanted.has(definition.name))
    .map((entry) => configOf(entry, request))
  return { errorCode: ErrorCode.NONE, errorMessage: null, resourceType, resourceName, configs }
}

function entriesOf({ resourceType, resourceName }: DescribeConfigsResource, { broker }: RequestContext): Entry[] | Refusal {
  const given = broker.config.given
  if (resourceType === TOPIC_RESOURCE) {
    const wrong = invalidTopicName(resourceName)
    if (wrong !== null) return refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, wrong)
    if (broker.image.topicByName(resourceName) === undefined) {
      return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `The topic '${resourceName}' does not exist.`)
    }
    const overrides = broker.image.topicConfigs(resourceName)
    return TOPIC_CONFIGS.map((definition) => ({
      definition,
      values: topicConfigValues(definition, overrides, given),
      readOnly: false,
    }))
  }
  if (resourceType === GROUP_RESOURCE) {
    if (resourceName === '') return refusal(ErrorCode.INVALID_REQUEST, 'Group name must not be empty')
    const overrides = broker.image.groupConfigs(resourceName)
    return GROUP_CONFIGS.map((definition) => ({
      definition,
      values: groupConfigValues(definition, overrides, given),
      readOnly: false,
    }))
  }
  if (resourceType === BROKER_RESOURCE) {
    // "" asks for what was set for all brokers at run time, which is nothing here.
    if (resourceName === '') return []
    if (resourceName === String(broker.nodeId)) {
      return BROKER_CONFIGS.map((definition) => ({ definition, values: brokerValues(definition, given), readOnly: true }))
    }
    return refusal(ErrorCode.INVALID_REQUEST, `Unexpected broker id, expected ${broker.nodeId}, but received ${resourceName}`)
  }
  return refusal(ErrorCode.INVALID_REQUEST, `Unsupported resource type: ${resourceType}`)
}

function brokerValues({ name, defaultValue }: ConfigDefinition, given: ReadonlyMap<string, string>): ConfigValue[] {
  const value = given.get(name)
  const own = value === undefined ? [] : [{ name, value, source: ConfigSource.STATIC_BROKER_CONFIG }]
  return [...own, { name, value: defaultValue, source: ConfigSource.DEFAULT_CONFIG }]
}

function configOf({ definition, values, readOnly }: Entry, request: DescribeConfigsRequest): DescribeConfigsResourceResult {
  const { value, source } = values[0]!
  return {
    name: definition.name,
    value,
    readOnly,
    configSource: source,
    isSensitive: false,
    synonyms: request.includeSynonyms ? values.map((synonym) => ({ ...synonym })) : [],
    configType: definition.type,
    documentation: request.includeDocumentation ? `Allowed: ${definition.allowed}. Default: ${definition.defaultValue}.` : null,
  }
}
