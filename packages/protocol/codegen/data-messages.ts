/**
 * Kafka's messages that are no API, and the package whose src/generated they go to. What a consumer group's members
 * exchange is the protocol's; what a broker writes into its own topics and files is the broker's.
 */
export const DATA_MESSAGES: ReadonlyMap<string, 'protocol' | 'broker'> = new Map<string, 'protocol' | 'broker'>([
  ['ConsumerProtocolSubscription', 'protocol'],
  ['ConsumerProtocolAssignment', 'protocol'],
  // __consumer_offsets
  ['OffsetCommitKey', 'broker'],
  ['OffsetCommitValue', 'broker'],
  ['GroupMetadataKey', 'broker'],
  ['GroupMetadataValue', 'broker'],
  ['ConsumerGroupMetadataKey', 'broker'],
  ['ConsumerGroupMetadataValue', 'broker'],
  ['ConsumerGroupMemberMetadataKey', 'broker'],
  ['ConsumerGroupMemberMetadataValue', 'broker'],
  ['ConsumerGroupTargetAssignmentMetadataKey', 'broker'],
  ['ConsumerGroupTargetAssignmentMetadataValue', 'broker'],
  ['ConsumerGroupTargetAssignmentMemberKey', 'broker'],
  ['ConsumerGroupTargetAssignmentMemberValue', 'broker'],
  ['ConsumerGroupCurrentMemberAssignmentKey', 'broker'],
  ['ConsumerGroupCurrentMemberAssignmentValue', 'broker'],
  // __transaction_state
  ['TransactionLogKey', 'broker'],
  ['TransactionLogValue', 'broker'],
  // __cluster_metadata
  ['TopicRecord', 'broker'],
  ['PartitionRecord', 'broker'],
  ['PartitionChangeRecord', 'broker'],
  ['ConfigRecord', 'broker'],
  ['RemoveTopicRecord', 'broker'],
  ['ProducerIdsRecord', 'broker'],
  ['FeatureLevelRecord', 'broker'],
  ['RegisterBrokerRecord', 'broker'],
  ['RegisterControllerRecord', 'broker'],
  ['BrokerRegistrationChangeRecord', 'broker'],
  ['NoOpRecord', 'broker'],
  ['BeginTransactionRecord', 'broker'],
  ['EndTransactionRecord', 'broker'],
  ['AbortTransactionRecord', 'broker'],
  // control records and files beside the log
  ['LeaderChangeMessage', 'broker'],
  ['SnapshotHeaderRecord', 'broker'],
  ['SnapshotFooterRecord', 'broker'],
  ['KRaftVersionRecord', 'broker'],
  ['VotersRecord', 'broker'],
  ['EndTxnMarker', 'broker'],
  ['AbortedTxn', 'broker'],
  ['ProducerSnapshot', 'broker'],
])
