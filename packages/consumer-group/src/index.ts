export { Consumer } from './consumer.ts'
export type { ConsumerCloseOptions } from './close-call.ts'
export type { CommitOptions } from './commit-calls.ts'
export type { ManualPartition } from './consumer-core.ts'
export { bytesDeserializer, jsonDeserializer, stringDeserializer, type Deserializer } from './delivery/deserializers.ts'
export { PartitionStream, type LoopOptions, type RecordLoopOptions } from './delivery/partition-stream.ts'
export type { DeserializationErrorPolicy } from './delivery/record-decoder.ts'
export type { AutoOffsetReset, ConsumerOptions } from './config.ts'
export type { ConsumerMetrics, PartitionMetrics } from './consumer-metrics.ts'
export type { ConsumerRecord, ConsumerRecordHeader } from './consumer-record.ts'
export { CommitError, DeserializationError, LogTruncationError, NoOffsetError, UnreadableRecordError } from './errors.ts'
export type { CommittedOffset, ConsumerEvents } from './events.ts'
export { ConsumerBatch } from './fetch/consumer-batch.ts'
export type { GroupMember, LastAssignment, PartitionAssignor, RebalanceProtocol, TopicLayout } from './assignors/assignor.ts'
export { AssignorError } from './assignors/assignor-error.ts'
export type { AssignorName, MembershipOptions } from './membership/membership-options.ts'
export type { LeaveOperation } from './membership/membership.ts'
export { RebalanceListenerError, type RebalanceCall, type RebalanceListener } from './membership/rebalance-listener.ts'
export type {
  CommittedPosition,
  OffsetAndTimestamp,
  PartitionOffset,
  PartitionTimestamp,
  QueryOptions,
} from './offsets/offset-queries.ts'
export { HandlerError, MissingTopicError, RecordCopyError } from './run/run-errors.ts'
export type {
  RecordCopy,
  RecordSender,
  RetryOptions,
  RetryTopic,
  RunBatchesOptions,
  RunOptions,
  RunRecordsOptions,
} from './run/run-options.ts'
export type { RunOrder } from './run/lane-settings.ts'
export type { BatchContext, RecordContext } from './run/task.ts'
export type { SeekPosition } from './position-calls.ts'
export type { TopicPartition } from './topic-partition.ts'
