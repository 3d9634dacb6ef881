import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import { createPartitionsApi } from '@millrace/protocol/apis/create-partitions'
import { createTopicsApi, type CreatableTopic, type CreatableTopicResult } from '@millrace/protocol/apis/create-topics'
import { deleteTopicsApi } from '@millrace/protocol/apis/delete-topics'
import { metadataApi } from '@millrace/protocol/apis/metadata'
import { errorAbout, refuseUnknownOptions, type ClusterClient } from '@millrace/client/internal'
import {
  brokerTimeoutMs,
  checkItems,
  checkName,
  checkNames,
  checkOptions,
  collectError,
  finish,
  invalidArgument,
  ITEM_FLAGS,
  waitOf,
  type CallOptions,
  type ItemCallOptions,
} from './context.ts'
import { ResultCollector, type ItemResults } from './item-results.ts'

const BROKER_DEFAULT = -1

/** A misspelt field must not leave the broker's default in its place. */
const NEW_TOPIC_FIELDS = ['name', 'numPartitions', 'replicationFactor', 'assignments', 'configs']
const NEW_PARTITIONS_FIELDS = ['topic', 'totalCount', 'assignments']

/** A topic to be made. */
export interface NewTopic {
  readonly name: string
  /** Default: the broker's `num.partitions`. Not together with `assignments`. */
  readonly numPartitions?: number
  /** Default: the broker's `default.replication.factor`. Not together with `assignments`. */
  readonly replicationFactor?: number
  /** The brokers of each partition's replicas, the preferred leader first, by partition number. */
  readonly assignments?: readonly (readonly number[])[]
  /** Topic configs under Kafka's names: `{ 'cleanup.policy': 'compact' }`. */
  readonly configs?: Readonly<Record<string, string>>
}

export interface CreateTopicsOptions extends ItemCallOptions {
  /** Check only; nothing is made. Default false. */
  readonly validateOnly?: boolean
}

export interface CreatedTopic {
  readonly name: string
  readonly topicId: string
  /** -1 if the broker is too old to say, or we may not know. */
  readonly numPartitions: number
  readonly replicationFactor: number
  /** The configs of the new topic; null if we may not see them. */
  readonly configs: ReadonlyMap<string, string | null> | null
}

export interface TopicListing {
  readonly name: string
  readonly topicId: string
  readonly isInternal: boolean
}

export interface ListTopicsOptions extends CallOptions {
  /** Also topics that belong to Kafka itself, such as `__consumer_offsets`. Default false. */
  readonly listInternal?: boolean
}

/** More partitions for a topic. */
export interface NewPartitions {
  readonly topic: string
  /** How many the topic shall have in all. */
  readonly totalCount: number
  /** The replicas of each partition that is added. Default: the broker decides. */
  readonly assignments?: readonly (readonly number[])[]
}

/** See `Admin.createTopics`. */
export async function createTopics(
  client: ClusterClient,
  topics: readonly NewTopic[],
  options: CreateTopicsOptions,
): Promise<ItemResults<CreatedTopic>> {
  checkOptions(options, [...ITEM_FLAGS, 'validateOnly'])
  checkItems('topics', topics)
  for (const topic of topics) refuseUnknownOptions(topic, NEW_TOPIC_FIELDS)
  checkNames(
    'topic',
    topics.map(({ name }) => name),
  )
  const request = {
    topics: topics.map(creatable),
    timeoutMs: brokerTimeoutMs(client, options),
    validateOnly: options.validateOnly ?? false,
  }
  const response = await client.send(createTopicsApi, request, 'controller', {
    ...waitOf(options),
    errorOf: ({ topics: results }) => notController(results),
  })
  const collector = new ResultCollector<CreatedTopic>(topics.map(({ name }) => name))
  for (const result of response.topics) {
    if (!collectError(collector, result.name, `topic ${result.name}`, result)) collector.succeed(result.name, created(result))
  }
  return finish(collector, options)
}

/** See `Admin.deleteTopics`. */
export async function deleteTopics(
  client: ClusterClient,
  names: readonly string[],
  options: ItemCallOptions,
): Promise<ItemResults<void>> {
  checkOptions(options, ITEM_FLAGS)
  checkNames('topic', names)
  const timeoutMs = brokerTimeoutMs(client, options)
  const response = await client.send(
    deleteTopicsApi,
    (version) =>
      version >= 6
        ? { topics: names.map((name) => ({ name, topicId: ZERO_UUID })), topicNames: [], timeoutMs }
        : { topics: [], topicNames: [...names], timeoutMs },
    'controller',
    { ...waitOf(options), errorOf: ({ responses }) => notController(responses) },
  )
  const collector = new ResultCollector<void>(names)
  for (const result of response.responses) {
    const name = result.name ?? result.topicId
    if (!collectError(collector, name, `topic ${name}`, result)) collector.succeed(name, undefined)
  }
  return finish(collector, options)
}

/** See `Admin.listTopics`. */
export async function listTopics(client: ClusterClient, options: ListTopicsOptions): Promise<TopicListing[]> {
  checkOptions(options, ['listInternal'])
  const request = {
    topics: null,
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  }
  const response = await client.send(metadataApi, request, 'any', waitOf(options))
  if (response.errorCode !== ErrorCode.NONE) throw errorAbout(response.errorCode, 'listing topics')
  return response.topics
    .filter(({ isInternal }) => options.listInternal === true || !isInternal)
    .map(({ name, topicId, isInternal }) => ({ name: name ?? '', topicId, isInternal }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** See `Admin.createPartitions`. */
export async function createPartitions(
  client: ClusterClient,
  topics: readonly NewPartitions[],
  options: CreateTopicsOptions,
): Promise<ItemResults<void>> {
  checkOptions(options, [...ITEM_FLAGS, 'validateOnly'])
  checkItems('topics', topics)
  for (const topic of topics) refuseUnknownOptions(topic, NEW_PARTITIONS_FIELDS)
  checkNames(
    'topic',
    topics.map(({ topic }) => topic),
  )
  for (const { topic, totalCount } of topics) checkCount(`totalCount of topic ${topic}`, totalCount)
  const request = {
    topics: topics.map(({ topic, totalCount, assignments }) => ({
      name: topic,
      count: totalCount,
      assignments: assignments?.map((brokerIds) => ({ brokerIds: [...brokerIds] })) ?? null,
    })),
    timeoutMs: brokerTimeoutMs(client, options),
    validateOnly: options.validateOnly ?? false,
  }
  const response = await client.send(createPartitionsApi, request, 'controller', {
    ...waitOf(options),
    errorOf: ({ results }) => notController(results),
  })
  const collector = new ResultCollector<void>(topics.map(({ topic }) => topic))
  for (const result of response.results) {
    if (!collectError(collector, result.name, `topic ${result.name}`, result)) collector.succeed(result.name, undefined)
  }
  return finish(collector, options)
}

/** If one item was refused for this, all were. */
function notController(results: readonly { readonly errorCode: number }[]): number {
  const wasRefused = results.some(({ errorCode }) => errorCode === ErrorCode.NOT_CONTROLLER)
  return wasRefused ? ErrorCode.NOT_CONTROLLER : ErrorCode.NONE
}

function creatable(topic: NewTopic): CreatableTopic {
  const { name, numPartitions, replicationFactor, assignments, configs } = topic
  if (assignments !== undefined && (numPartitions !== undefined || replicationFactor !== undefined)) {
    throw invalidArgument(`assignments of topic ${name}`, 'an array', 'no numPartitions and no replicationFactor beside it')
  }
  if (numPartitions !== undefined) checkCount(`numPartitions of topic ${name}`, numPartitions)
  if (replicationFactor !== undefined) checkCount(`replicationFactor of topic ${name}`, replicationFactor, 0x7fff)
  for (const [config, value] of Object.entries(configs ?? {})) {
    checkName(`config of topic ${name}`, config)
    if (typeof value !== 'string') throw invalidArgument(`config ${config} of topic ${name}`, value, 'a string')
  }
  return {
    name,
    numPartitions: numPartitions ?? BROKER_DEFAULT,
    replicationFactor: replicationFactor ?? BROKER_DEFAULT,
    assignments: (assignments ?? []).map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds: [...brokerIds] })),
    configs: Object.entries(configs ?? {}).map(([config, value]) => ({ name: config, value })),
  }
}

function created(result: CreatableTopicResult): CreatedTopic {
  const isHidden = result.topicConfigErrorCode !== ErrorCode.NONE || result.configs === null
  return {
    name: result.name,
    topicId: result.topicId,
    numPartitions: result.numPartitions,
    replicationFactor: result.replicationFactor,
    configs: isHidden ? null : new Map(result.configs!.map(({ name, value }) => [name, value])),
  }
}

function checkCount(what: string, value: number, max = 0x7fffffff): void {
  if (!Number.isInteger(value) || value < 1 || value > max) throw invalidArgument(what, value, `an integer from 1 to ${max}`)
}
