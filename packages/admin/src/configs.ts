import { describeConfigsApi, type DescribeConfigsResourceResult } from '@millrace/protocol/apis/describe-configs'
import { incrementalAlterConfigsApi } from '@millrace/protocol/apis/incremental-alter-configs'
import type { ClusterClient, Target } from '@millrace/client/internal'
import {
  checkItems,
  checkName,
  checkOptions,
  checkUnique,
  collectError,
  finish,
  invalidArgument,
  ITEM_FLAGS,
  ownError,
  waitOf,
  type ItemCallOptions,
} from './context.ts'
import { ResultCollector, type ItemResults } from './item-results.ts'

const RESOURCE_TYPES = { topic: 2, broker: 4, brokerLogger: 8, clientMetrics: 16, group: 32 } as const

const SOURCES = [
  'unknown',
  'dynamicTopic',
  'dynamicBroker',
  'dynamicDefaultBroker',
  'staticBroker',
  'default',
  'dynamicBrokerLogger',
  'clientMetrics',
  'group',
] as const

const VALUE_TYPES = ['unknown', 'boolean', 'string', 'int', 'short', 'long', 'double', 'list', 'class', 'password'] as const

const OPERATIONS = { set: 0, delete: 1, append: 2, subtract: 3 } as const

export type ConfigResourceType = keyof typeof RESOURCE_TYPES

/** What has configs. The name of a broker is its id; `''` means the default of all brokers. */
export interface ConfigResource {
  readonly type: ConfigResourceType
  readonly name: string
}

export interface DescribeConfigsResourceSpec extends ConfigResource {
  /** Only these configs. Default: all. */
  readonly configNames?: readonly string[]
}

export interface ConfigEntry {
  readonly name: string
  /** null if it is sensitive, or not set. */
  readonly value: string | null
  readonly isReadOnly: boolean
  readonly isSensitive: boolean
  /** Where the value comes from. */
  readonly source: (typeof SOURCES)[number]
  readonly isDefault: boolean
  readonly type: (typeof VALUE_TYPES)[number]
  /** With `includeSynonyms`: where a value could come from, the first that is set wins. */
  readonly synonyms: readonly ConfigSynonym[]
  /** With `includeDocumentation`. */
  readonly documentation: string | null
}

export interface ConfigSynonym {
  readonly name: string
  readonly value: string | null
  readonly source: (typeof SOURCES)[number]
}

export interface DescribeConfigsOptions extends ItemCallOptions {
  readonly includeSynonyms?: boolean
  readonly includeDocumentation?: boolean
}

/** One change of one config. `'append'` and `'subtract'` are for configs that are lists. */
export type AlterConfigOp =
  | { readonly name: string; readonly op?: 'set'; readonly value: string }
  | { readonly name: string; readonly op: 'append' | 'subtract'; readonly value: string }
  | { readonly name: string; readonly op: 'delete' }

export interface AlterConfigsResourceSpec extends ConfigResource {
  readonly ops: readonly AlterConfigOp[]
}

export interface AlterConfigsOptions extends ItemCallOptions {
  /** Check only; nothing is changed. Default false. */
  readonly validateOnly?: boolean
}

/** The key of a resource in results: `topic:orders`, `broker:1`. */
export function configResourceKey({ type, name }: ConfigResource): string {
  return `${type}:${name}`
}

/** See `Admin.describeConfigs`. */
export async function describeConfigs(
  client: ClusterClient,
  resources: readonly DescribeConfigsResourceSpec[],
  options: DescribeConfigsOptions,
): Promise<ItemResults<ReadonlyMap<string, ConfigEntry>>> {
  checkOptions(options, [...ITEM_FLAGS, 'includeSynonyms', 'includeDocumentation'])
  const collector = new ResultCollector<ReadonlyMap<string, ConfigEntry>>(checkResources(resources))
  const groups = byTarget(resources)
  const calls = groups.map(async ([target, group]) => {
    const request = {
      resources: group.map(({ type, name, configNames }) => ({
        resourceType: RESOURCE_TYPES[type],
        resourceName: name,
        configurationKeys: configNames === undefined ? null : [...configNames],
      })),
      includeSynonyms: options.includeSynonyms ?? false,
      includeDocumentation: options.includeDocumentation ?? false,
    }
    const response = await client.send(describeConfigsApi, request, target, waitOf(options))
    for (const result of response.results) {
      const key = keyOf(result.resourceType, result.resourceName)
      if (collectError(collector, key, key, result)) continue
      collector.succeed(key, new Map(result.configs.map((config) => [config.name, configEntry(config)])))
    }
  })
  await settle(collector, groups, calls)
  return finish(collector, options)
}

/** See `Admin.incrementalAlterConfigs`. */
export async function incrementalAlterConfigs(
  client: ClusterClient,
  resources: readonly AlterConfigsResourceSpec[],
  options: AlterConfigsOptions,
): Promise<ItemResults<void>> {
  checkOptions(options, [...ITEM_FLAGS, 'validateOnly'])
  const collector = new ResultCollector<void>(checkResources(resources))
  // All of them before any is sent: a wrong one must not leave the others done.
  const changes = resources.map((resource) => ({ ...resource, configs: alterations(resource) }))
  const groups = byTarget(changes)
  const calls = groups.map(async ([target, group]) => {
    const request = {
      resources: group.map(({ type, name, configs }) => ({
        resourceType: RESOURCE_TYPES[type],
        resourceName: name,
        configs,
      })),
      validateOnly: options.validateOnly ?? false,
    }
    const response = await client.send(incrementalAlterConfigsApi, request, target, waitOf(options))
    for (const result of response.responses) {
      const key = keyOf(result.resourceType, result.resourceName)
      if (!collectError(collector, key, key, result)) collector.succeed(key, undefined)
    }
  })
  await settle(collector, groups, calls)
  return finish(collector, options)
}

/** A broker's own configs are only known to, and changed by, that broker. */
function byTarget<Resource extends ConfigResource>(resources: readonly Resource[]): [Target, Resource[]][] {
  const groups = new Map<string, [Target, Resource[]]>()
  for (const resource of resources) {
    const isOneBroker = (resource.type === 'broker' || resource.type === 'brokerLogger') && resource.name !== ''
    const target: Target = isOneBroker ? { node: Number(resource.name) } : 'any'
    const key = isOneBroker ? resource.name : 'any'
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [target, [resource]])
    else group[1].push(resource)
  }
  return [...groups.values()]
}

/** One broker that cannot be reached must not hide what the others said. */
async function settle(
  collector: ResultCollector<never> | ResultCollector<unknown>,
  groups: readonly [Target, readonly ConfigResource[]][],
  calls: readonly Promise<void>[],
): Promise<void> {
  const outcomes = await Promise.allSettled(calls)
  outcomes.forEach((outcome, index) => {
    if (outcome.status === 'fulfilled') return
    const error = ownError(outcome.reason)
    for (const resource of groups[index]![1]) collector.fail(configResourceKey(resource), error)
  })
}

function checkResources(resources: readonly ConfigResource[]): string[] {
  checkItems('resources', resources)
  for (const { type, name } of resources) {
    if (!Object.hasOwn(RESOURCE_TYPES, type)) throw invalidArgument('type', type, Object.keys(RESOURCE_TYPES).join(', '))
    if (typeof name !== 'string') throw invalidArgument(`name of the ${type}`, name, 'a string')
    const isBroker = type === 'broker' || type === 'brokerLogger'
    if (isBroker && !/^\d*$/.test(name))
      throw invalidArgument(`name of the ${type}`, name, "a broker's id, or '' for the default of all")
    if (!isBroker && name === '') throw invalidArgument(`name of the ${type}`, name, 'a string that is not empty')
  }
  const keys = resources.map(configResourceKey)
  checkUnique('resource', keys)
  return keys
}

interface Alteration {
  readonly name: string
  readonly configOperation: number
  readonly value: string | null
}

function alterations(resource: AlterConfigsResourceSpec): Alteration[] {
  checkItems(`ops of ${configResourceKey(resource)}`, resource.ops)
  return resource.ops.map(alteration)
}

function alteration(change: AlterConfigOp): Alteration {
  checkName('config', change.name)
  const op = change.op ?? 'set'
  if (!Object.hasOwn(OPERATIONS, op)) throw invalidArgument(`op of ${change.name}`, op, Object.keys(OPERATIONS).join(', '))
  const value: unknown = 'value' in change ? change.value : null
  if (op !== 'delete' && typeof value !== 'string') throw invalidArgument(`value of ${change.name}`, value, 'a string')
  return { name: change.name, configOperation: OPERATIONS[op], value: op === 'delete' ? null : (value as string) }
}

function keyOf(resourceType: number, name: string): string {
  const type = Object.entries(RESOURCE_TYPES).find(([, code]) => code === resourceType)?.[0] ?? `type ${resourceType}`
  return `${type}:${name}`
}

function configEntry(wire: DescribeConfigsResourceResult): ConfigEntry {
  const source = SOURCES[wire.configSource] ?? 'unknown'
  return {
    name: wire.name,
    value: wire.value,
    isReadOnly: wire.readOnly,
    isSensitive: wire.isSensitive,
    source,
    isDefault: source === 'default',
    type: VALUE_TYPES[wire.configType] ?? 'unknown',
    synonyms: wire.synonyms.map((synonym) => ({
      name: synonym.name,
      value: synonym.value,
      source: SOURCES[synonym.source] ?? 'unknown',
    })),
    documentation: wire.documentation === '' ? null : wire.documentation,
  }
}
