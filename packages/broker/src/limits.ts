/** Kafka's own defaults where Kafka has the limit; the comment says so. */

/** `socket.request.max.bytes` in Kafka: 100 MiB. */
export const REQUEST_BYTES_MAX: number = 100 * 1024 * 1024
/** A connection's input is paused while this many whole requests wait behind a parked one. */
export const QUEUED_REQUESTS_MAX = 32
/** … or while they hold this many bytes. */
export const QUEUED_REQUEST_BYTES_MAX: number = 4 * 1024 * 1024
/** No further request of a connection is handled while this many reply bytes wait for a slow reader. */
export const UNSENT_REPLY_BYTES_MAX: number = 8 * 1024 * 1024
/** What a Fetch reads from disk goes into pieces of memory of this size, which are used again; a partition's usual `max.partition.fetch.bytes`. */
export const READ_SLAB_BYTES: number = 1024 * 1024
/** A smaller read has memory of its own, unless a slab that is in use already has room for it. */
export const READ_SLAB_MIN_READ_BYTES: number = 64 * 1024
/** Where a partition has less room than this in a reply, a look at its next batch's header says first whether that fits. */
export const READ_PEEK_BELOW_BYTES: number = 64 * 1024
/** Slabs that are kept for the next replies. */
export const READ_SLABS_KEPT = 8
/** Connections that a broker accepts at the same time; further ones are closed at once (`max.connections` is unbounded in Kafka). */
export const CONNECTIONS_MAX = 10_000
/** `CreateTopics` and `CreatePartitions`: partitions of one topic. */
export const PARTITIONS_PER_TOPIC_MAX = 10_000
/** Partitions of one request, as in Kafka's `ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`. */
export const PARTITIONS_PER_REQUEST_MAX = 10_000
/** Bytes of a topic name: `Topic.MAX_NAME_LENGTH`. */
export const TOPIC_NAME_LENGTH_MAX = 249
/** `max.request.partition.size.limit` of DescribeTopicPartitions. */
export const DESCRIBE_PARTITIONS_MAX = 2000
/** Producer ids reserved by one metadata record: `ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`. */
export const PRODUCER_ID_BLOCK_SIZE = 1000

/** In memory, a log's bytes lie in slabs that grow with it from this size … */
export const MEMORY_SLAB_MIN_BYTES: number = 4 * 1024
/** … to this one; a batch that is larger has a slab of its own. */
export const MEMORY_SLAB_MAX_BYTES: number = 1024 * 1024
/** Batches per producer whose repetition is recognised: `ProducerStateEntry.NUM_BATCHES_TO_RETAIN`. */
export const PRODUCER_BATCHES_RETAINED = 5
/** Where recent reads of a partition ended, so that the next read of each consumer needs no index lookup. */
export const READ_HINTS_PER_LOG = 8
/** Bytes read at a time while a segment is scanned: recovery, search by timestamp. */
export const SCAN_CHUNK_BYTES: number = 1024 * 1024
/** Bytes that one produced batch may take when decompressed; Kafka has no limit here and can be made to exhaust its heap. */
export const DECOMPRESSED_BATCH_BYTES_MAX: number = 100 * 1024 * 1024
/** Errors of single records that a produce reply lists (`recordErrors`); a batch of a million bad records has one reply. */
export const RECORD_ERRORS_MAX = 100
/** `max.incremental.fetch.session.cache.slots`. */
export const FETCH_SESSIONS_MAX = 1000
/** A fetch session that was not used for this long may be evicted: `FetchSession.MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS`. */
export const FETCH_SESSION_EVICTION_MS = 120_000
/** Partitions of one fetch session; a request that would hold more is answered without a session. */
export const FETCH_SESSION_PARTITIONS_MAX = 100_000
/** Bytes read at a time while the batch of an offset is looked for, from the nearest index entry on. */
export const LOCATE_CHUNK_BYTES: number = 16 * 1024
/** `log.flush.offset.checkpoint.interval.ms` and `log.flush.start.offset.checkpoint.interval.ms`. */
export const CHECKPOINT_INTERVAL_MS = 60_000
/** Bytes read at a time while a journal (metadata, offsets) is replayed. */
export const JOURNAL_READ_BYTES: number = 1024 * 1024
/** How long `Broker.close` waits for clients to take their last replies before it cuts them off. */
export const CLOSE_GRACE_MS = 1000
/** Rounds of taking over a stale lock; more mean that several processes start on the directory at once. */
export const LOCK_ATTEMPTS_MAX = 5
/** Bytes of log before a producer snapshot that are looked through on a restart for batches that clients may repeat. */
export const PRODUCER_RECALL_BYTES: number = 4 * 1024 * 1024
/** A partition of the offsets topic is rolled up when it has grown by this much … */
export const ROLL_UP_MIN_BYTES: number = 4 * 1024 * 1024
/** … and to this many times what the last roll-up left. */
export const ROLL_UP_GROWTH = 4
/** Records per batch of a roll-up. */
export const ROLL_UP_BATCH_RECORDS = 1000
/** A roll-up that found a group amid a rebalance tries again after this. */
export const ROLL_UP_RETRY_MS = 10_000
/** Faults that may be set on a broker at the same time. */
export const FAULTS_MAX = 1000
/** The journal of requests keeps this many; older ones are forgotten … */
export const JOURNAL_REQUESTS_MAX = 10_000
/** … and so they are while all take more memory than this, by a rough count. */
export const JOURNAL_BYTES_MAX: number = 64 * 1024 * 1024
/** Characters of a regular expression to which a member of a consumer group subscribes. Kafka has no limit but that of a request. */
export const TOPIC_REGEX_LENGTH_MAX = 10_000
/** Regular expressions of a group are looked up again no sooner than this. 10 s in Kafka (`GroupMetadataManager.REGEX_BATCH_REFRESH_MIN_INTERVAL_MS`), which has more topics. */
export const REGEX_REFRESH_MIN_MS = 1_000
/** A member's timer that ran out when the group could not be stored is tried again after this (CoordinatorRuntime's retry of timers). */
export const GROUP_TIMER_RETRY_MS = 500
