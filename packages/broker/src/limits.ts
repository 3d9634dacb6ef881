/** Kafka's own defaults where Kafka has the limit; the comment says so. */

/** `socket.request.max.bytes` in Kafka: 100 MiB. */
export const REQUEST_BYTES_MAX: number = 100 * 1024 * 1024
/** A connection's input is paused while this many whole requests wait behind a parked one. */
export const QUEUED_REQUESTS_MAX = 32
/** … or while they hold this many bytes. */
export const QUEUED_REQUEST_BYTES_MAX: number = 4 * 1024 * 1024
/** No further request of a connection is handled while this many reply bytes wait for a slow reader. */
export const UNSENT_REPLY_BYTES_MAX: number = 8 * 1024 * 1024
/** Connections that a broker accepts at the same time; further ones are closed at once (`max.connections` is unbounded in Kafka). */
export const CONNECTIONS_MAX = 10_000
/** `CreateTopics` and `CreatePartitions`: partitions of one topic. */
export const PARTITIONS_PER_TOPIC_MAX = 10_000
/** Partitions of one request, as in Kafka's `ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`. */
export const PARTITIONS_PER_REQUEST_MAX = 10_000
/** Bytes of a topic name: `Topic.MAX_NAME_LENGTH`. */
export const TOPIC_NAME_LENGTH_MAX = 249
/** `offset.metadata.max.bytes`. */
export const OFFSET_METADATA_BYTES_MAX = 4096
/** `max.request.partition.size.limit` of DescribeTopicPartitions. */
export const DESCRIBE_PARTITIONS_MAX = 2000
/** Members of one classic group. Kafka's `group.max.size` is unbounded. */
export const GROUP_MEMBERS_MAX = 10_000
/** Producer ids reserved by one metadata record: `ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`. */
export const PRODUCER_ID_BLOCK_SIZE = 1000
