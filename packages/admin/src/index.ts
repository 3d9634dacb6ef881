export { Admin, type AdminOptions } from './admin.ts'
export type { ClusterDescription, ClusterNode, DescribeClusterOptions } from './cluster.ts'
export {
  configResourceKey,
  type AlterConfigOp,
  type AlterConfigsOptions,
  type AlterConfigsResourceSpec,
  type ConfigEntry,
  type ConfigResource,
  type ConfigResourceType,
  type ConfigSynonym,
  type DescribeConfigsOptions,
  type DescribeConfigsResourceSpec,
} from './configs.ts'
export { topicPartitionKey, type CallOptions, type ItemCallOptions, type TopicPartition } from './context.ts'
export type { GroupDescription, MemberDescription } from './describe-groups.ts'
export type { TopicDescription, TopicPartitionInfo } from './describe-topics.ts'
export type { FetchGroupOffsetsOptions, GroupOffset, NewGroupOffset } from './group-offsets.ts'
export type { GroupListing, GroupListings, ListGroupsOptions } from './groups.ts'
export { ItemResults, ItemsFailedError } from './item-results.ts'
export type { DeletedRecords, ListedOffset, ListOffsetsOptions, ListOffsetsSpec, OffsetSpec, RecordsToDelete } from './offsets.ts'
export type { CreatedTopic, CreateTopicsOptions, ListTopicsOptions, NewPartitions, NewTopic, TopicListing } from './topics.ts'
