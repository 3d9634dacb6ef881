import { ClusterClient, type ClientOptions, type Environment } from '@millrace/client/internal'
import { describeCluster, type ClusterDescription, type DescribeClusterOptions } from './cluster.ts'
import {
  describeConfigs,
  incrementalAlterConfigs,
  type AlterConfigsOptions,
  type AlterConfigsResourceSpec,
  type ConfigEntry,
  type DescribeConfigsOptions,
  type DescribeConfigsResourceSpec,
} from './configs.ts'
import type { ItemCallOptions, TopicPartition } from './context.ts'
import { describeGroups, type GroupDescription } from './describe-groups.ts'
import { describeTopics, type TopicDescription } from './describe-topics.ts'
import {
  alterGroupOffsets,
  deleteGroupOffsets,
  fetchGroupOffsets,
  type FetchGroupOffsetsOptions,
  type GroupOffset,
  type NewGroupOffset,
} from './group-offsets.ts'
import { deleteGroups, listGroups, type GroupListings, type ListGroupsOptions } from './groups.ts'
import type { ItemResults } from './item-results.ts'
import {
  deleteRecords,
  listOffsets,
  type DeletedRecords,
  type ListedOffset,
  type ListOffsetsOptions,
  type ListOffsetsSpec,
  type RecordsToDelete,
} from './offsets.ts'
import {
  createPartitions,
  createTopics,
  deleteTopics,
  listTopics,
  type CreatedTopic,
  type CreateTopicsOptions,
  type ListTopicsOptions,
  type NewPartitions,
  type NewTopic,
  type TopicListing,
} from './topics.ts'

/** The options of every client; see `ClientOptions`. */
export type AdminOptions = ClientOptions

/**
 * Administration of a cluster. A verb over many items resolves to `ItemResults`, which has the outcome of each; by default it rejects
 * when an item failed (see `throwOnFailure`). Every verb takes `signal` and `timeoutMs`, and retries what may be retried until then.
 * A verb that changes something may have done so when its call was lost and is sent again: then the retry finds it done
 * (`TOPIC_ALREADY_EXISTS`), as with Java's Admin.
 */
export class Admin implements AsyncDisposable {
  readonly #client: ClusterClient

  /**
   * @param environment internal: time and network for simulations
   * @throws ConfigError
   */
  constructor(options: AdminOptions, environment?: Environment) {
    this.#client = new ClusterClient(options, environment)
  }

  // ---- topics ----

  /**
   * Makes topics. By topic name.
   * @throws KafkaError TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR, INVALID_CONFIG, …
   */
  createTopics(topics: readonly NewTopic[], options: CreateTopicsOptions = {}): Promise<ItemResults<CreatedTopic>> {
    return createTopics(this.#client, topics, options)
  }

  /**
   * Deletes topics. By topic name.
   * @throws KafkaError UNKNOWN_TOPIC_OR_PARTITION, TOPIC_DELETION_DISABLED, …
   */
  deleteTopics(names: readonly string[], options: ItemCallOptions = {}): Promise<ItemResults<void>> {
    return deleteTopics(this.#client, names, options)
  }

  /** All topics that we may see, by name. */
  listTopics(options: ListTopicsOptions = {}): Promise<TopicListing[]> {
    return listTopics(this.#client, options)
  }

  /**
   * Topics with their partitions. By topic name. Topics of any size: they are fetched page by page.
   * @throws KafkaError UNKNOWN_TOPIC_OR_PARTITION, …
   */
  describeTopics(names: readonly string[], options: ItemCallOptions = {}): Promise<ItemResults<TopicDescription>> {
    return describeTopics(this.#client, names, options)
  }

  /**
   * Adds partitions to topics. By topic name. Records with keys that come later may go to other partitions than before.
   * @throws KafkaError INVALID_PARTITIONS if the topic has as many already, …
   */
  createPartitions(topics: readonly NewPartitions[], options: CreateTopicsOptions = {}): Promise<ItemResults<void>> {
    return createPartitions(this.#client, topics, options)
  }

  /**
   * Deletes the records before an offset. By `topic-partition`.
   * @throws KafkaError OFFSET_OUT_OF_RANGE, POLICY_VIOLATION for a topic that is only compacted, …
   */
  deleteRecords(partitions: readonly RecordsToDelete[], options: ItemCallOptions = {}): Promise<ItemResults<DeletedRecords>> {
    return deleteRecords(this.#client, partitions, options)
  }

  // ---- cluster and configs ----

  /** The cluster's id, its brokers and its controller. */
  describeCluster(options: DescribeClusterOptions = {}): Promise<ClusterDescription> {
    return describeCluster(this.#client, options)
  }

  /** The configs of topics, brokers and groups, by name. By `type:name` (see `configResourceKey`). */
  describeConfigs(
    resources: readonly DescribeConfigsResourceSpec[],
    options: DescribeConfigsOptions = {},
  ): Promise<ItemResults<ReadonlyMap<string, ConfigEntry>>> {
    return describeConfigs(this.#client, resources, options)
  }

  /**
   * Changes single configs and leaves all others as they are. By `type:name`.
   * @throws KafkaError INVALID_CONFIG, INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION, …
   */
  incrementalAlterConfigs(
    resources: readonly AlterConfigsResourceSpec[],
    options: AlterConfigsOptions = {},
  ): Promise<ItemResults<void>> {
    return incrementalAlterConfigs(this.#client, resources, options)
  }

  // ---- offsets ----

  /** The offset at a place in each partition, asked from its leader. By `topic-partition`. */
  listOffsets(partitions: readonly ListOffsetsSpec[], options: ListOffsetsOptions = {}): Promise<ItemResults<ListedOffset>> {
    return listOffsets(this.#client, partitions, options)
  }

  // ---- groups ----

  /** The groups of the whole cluster: each broker is asked for those it coordinates. */
  listGroups(options: ListGroupsOptions = {}): Promise<GroupListings> {
    return listGroups(this.#client, options)
  }

  /**
   * Groups of the classic and the consumer protocol with their members. By group id.
   * @throws KafkaError GROUP_ID_NOT_FOUND, …
   */
  describeGroups(groupIds: readonly string[], options: ItemCallOptions = {}): Promise<ItemResults<GroupDescription>> {
    return describeGroups(this.#client, groupIds, options)
  }

  /**
   * Deletes groups, which must be empty, with their offsets. By group id.
   * @throws KafkaError NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, …
   */
  deleteGroups(groupIds: readonly string[], options: ItemCallOptions = {}): Promise<ItemResults<void>> {
    return deleteGroups(this.#client, groupIds, options)
  }

  /** What a group committed (Java: listConsumerGroupOffsets). By `topic-partition`. */
  fetchGroupOffsets(groupId: string, options: FetchGroupOffsetsOptions = {}): Promise<ItemResults<GroupOffset>> {
    return fetchGroupOffsets(this.#client, groupId, options)
  }

  /**
   * Sets a group's offsets (Java: alterConsumerGroupOffsets). The group must be empty; one that does not exist is made. By `topic-partition`.
   * @throws KafkaError UNKNOWN_MEMBER_ID if the group has members, …
   */
  alterGroupOffsets(
    groupId: string,
    offsets: readonly NewGroupOffset[],
    options: ItemCallOptions = {},
  ): Promise<ItemResults<void>> {
    return alterGroupOffsets(this.#client, groupId, offsets, options)
  }

  /**
   * Deletes a group's offsets of partitions that it does not consume now (Java: deleteConsumerGroupOffsets). By `topic-partition`.
   * @throws KafkaError GROUP_SUBSCRIBED_TO_TOPIC, GROUP_ID_NOT_FOUND, …
   */
  deleteGroupOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
    options: ItemCallOptions = {},
  ): Promise<ItemResults<void>> {
    return deleteGroupOffsets(this.#client, groupId, partitions, options)
  }

  // ---- the end ----

  /** Closes all connections; calls that are under way reject with CLIENT_CLOSED. May be called again. */
  close(): Promise<void> {
    return this.#client.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
