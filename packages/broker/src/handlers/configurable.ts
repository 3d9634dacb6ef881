import { ErrorCode } from '@millrace/protocol'
import type { OverriddenDefinition, Values } from '../config/config-values.ts'
import { groupConfigValues } from '../config/group-config.ts'
import { GROUP_CONFIG_BY_NAME } from '../config/group-config-definitions.ts'
import { topicConfigValues } from '../config/topic-config.ts'
import { TOPIC_CONFIG_BY_NAME } from '../config/topic-config-definitions.ts'
import type { RequestContext } from '../core/handler.ts'
import { refusal, type Refusal } from '../core/outcome.ts'
import { FAULT_MESSAGE, itemErrors, RESOURCES, type ErrorShape } from '../faults/error-shape.ts'
import { BROKER_RESOURCE, GROUP_RESOURCE, TOPIC_RESOURCE } from '../metadata/metadata-record.ts'
import { invalidTopicName } from '../metadata/topic-name.ts'

/** As requests name what has configurations. */
export interface Resource {
  readonly resourceType: number
  readonly resourceName: string
}

/** The answer about one resource. */
export interface Altered {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly resourceType: number
  readonly resourceName: string
}

/** What the configurations of one resource are, and how they change. */
export interface Configurable {
  /** As in Kafka's messages. */
  readonly kind: 'topic' | 'group'
  readonly definitions: ReadonlyMap<string, OverriddenDefinition>
  /** What was set of it, without defaults. */
  readonly overrides: Values
  /** What is in force now. */
  valueOf(definition: OverriddenDefinition): string
  alter(changes: ReadonlyMap<string, string | null>, validateOnly: boolean, now: number): Refusal | null
}

/** How both ways to alter configurations say that something failed. */
export function alterErrors<Request extends { resources: Resource[] }, Response extends { responses: Altered[] }>(): ErrorShape<
  Request,
  Response
> {
  return itemErrors({
    ...RESOURCES,
    items: ({ resources }) => resources,
    withItems: (request, resources) => ({ ...request, resources }),
    answers: ({ responses }) => responses,
    failed: ({ resourceType, resourceName }, errorCode) => {
      return { errorCode, errorMessage: FAULT_MESSAGE, resourceType, resourceName }
    },
  })
}

/** Alters each resource by itself. One that is named twice is not altered at all. */
export function alterEach<One extends Resource>(resources: readonly One[], alter: (resource: One) => Refusal | null): Altered[] {
  const count = new Map<string, number>()
  for (const resource of resources) count.set(keyOf(resource), (count.get(keyOf(resource)) ?? 0) + 1)
  return resources.map((resource) => {
    const failed =
      count.get(keyOf(resource))! > 1
        ? refusal(ErrorCode.INVALID_REQUEST, 'Each resource must appear at most once.')
        : alter(resource)
    const { resourceType, resourceName } = resource
    return {
      errorCode: failed?.errorCode ?? ErrorCode.NONE,
      errorMessage: failed?.errorMessage ?? null,
      resourceType,
      resourceName,
    }
  })
}

function keyOf({ resourceType, resourceName }: Resource): string {
  return `${resourceType} ${resourceName}`
}

/** What may be altered, or why not. */
export function configurableOf(
  { resourceType, resourceName }: Resource,
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
      overrides: image.groupConfigs(resourceName),
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
    overrides: image.topicConfigs(resourceName),
    valueOf: (definition) => topicConfigValues(definition, image.topicConfigs(resourceName), config.given)[0]!.value,
    alter: (changes, validateOnly, now) => controller.alterTopicConfigs(resourceName, changes, validateOnly, now),
  }
}
