/** The package whose src/generated a message goes to. */
export type Owner = 'protocol' | 'broker'

/**
 * Kafka's messages that are no API and that its client jar defines. What the members of a group exchange is the
 * protocol's; what a broker writes into its own topics and files is the broker's.
 */
export const CLIENT_MESSAGES: ReadonlyMap<string, Owner> = new Map<string, Owner>([
  ['ConsumerProtocolSubscription', 'protocol'],
  ['ConsumerProtocolAssignment', 'protocol'],
  // control records and files beside the log
  ['LeaderChangeMessage', 'broker'],
  ['SnapshotHeaderRecord', 'broker'],
  ['SnapshotFooterRecord', 'broker'],
  ['KRaftVersionRecord', 'broker'],
  ['VotersRecord', 'broker'],
  ['EndTxnMarker', 'broker'],
  ['AbortedTxn', 'broker'],
])

/** The same for what Kafka's server jars define. */
export const SERVER_MESSAGES: ReadonlyMap<string, Owner> = new Map<string, Owner>(
  [
    // __consumer_offsets
    'OffsetCommitKey',
    'OffsetCommitValue',
    'GroupMetadataKey',
    'GroupMetadataValue',
    'ConsumerGroupMetadataKey',
    'ConsumerGroupMetadataValue',
    'ConsumerGroupMemberMetadataKey',
    'ConsumerGroupMemberMetadataValue',
    'ConsumerGroupTargetAssignmentMetadataKey',
    'ConsumerGroupTargetAssignmentMetadataValue',
    'ConsumerGroupTargetAssignmentMemberKey',
    'ConsumerGroupTargetAssignmentMemberValue',
    'ConsumerGroupCurrentMemberAssignmentKey',
    'ConsumerGroupCurrentMemberAssignmentValue',
    'ConsumerGroupPartitionMetadataKey',
    'ConsumerGroupRegularExpressionKey',
    'ConsumerGroupRegularExpressionValue',
    // __transaction_state
    'TransactionLogKey',
    'TransactionLogValue',
    // __cluster_metadata
    'TopicRecord',
    'PartitionRecord',
    'PartitionChangeRecord',
    'ConfigRecord',
    'RemoveTopicRecord',
    'ProducerIdsRecord',
    'FeatureLevelRecord',
    'RegisterBrokerRecord',
    'RegisterControllerRecord',
    'BrokerRegistrationChangeRecord',
    'NoOpRecord',
    'BeginTransactionRecord',
    'EndTransactionRecord',
    'AbortTransactionRecord',
    // beside the log
    'ProducerSnapshot',
  ].map((name) => [name, 'broker']),
)

export const DATA_MESSAGES: ReadonlyMap<string, Owner> = new Map([...CLIENT_MESSAGES, ...SERVER_MESSAGES])
