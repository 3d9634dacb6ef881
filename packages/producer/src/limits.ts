/** Every bound of this package that is not an option. */

/** Largest backlog of `send` and `sendAll` calls that wait for metadata or for buffer memory. */
export const WAITING_SENDS_MAX = 1_000_000

/** Largest number of requests in flight to one broker with idempotence: a broker remembers five batches per producer and partition. */
export const IDEMPOTENT_IN_FLIGHT_MAX = 5

/** Producer epochs are int16; past this one a new producer id is asked for. */
export const PRODUCER_EPOCH_MAX = 0x7fff

/** Sequences are int31 and wrap to zero (Kafka: DefaultRecordBatch.incrementSequence). */
export const SEQUENCE_MODULUS = 0x8000_0000

/** The part of `bufferMemory` that is kept, beside what is in use, in buffers for batches to come. */
export const POOLED_MEMORY = 0.25

/** Batches of one producer that are compressed off the event loop at a time: as many as libuv has threads by default. */
export const COMPRESSIONS_OFF_LOOP_MAX = 4

/** How long compression keeps the event loop before others have their turn; one batch is always done. */
export const COMPRESSION_TURN_MS = 8

/** Most bytes of records that go into one compressed batch, however well they compress, unless `batchSize` is larger. */
export const COMPRESSION_INPUT_BYTES_MAX: number = 1024 * 1024

/** The part of `bufferMemory` that must stay free when a batch takes more than `batchSize` in the hope of compression. */
export const COMPRESSION_MEMORY_RESERVE = 0.5

/** By how much an estimate of a compressed size is raised (Java: MemoryRecordsBuilder.COMPRESSION_RATE_ESTIMATION_FACTOR). */
export const COMPRESSION_ESTIMATE_MARGIN = 1.05

/** How far an estimated ratio of compression moves at least when a batch compresses worse, and at most when better (Java: CompressionRatioEstimator). */
export const COMPRESSION_RATIO_STEP_UP = 0.05
export const COMPRESSION_RATIO_STEP_DOWN = 0.005

/** A batch begins with a buffer of `batchSize` over this, or what its partition's last batch came to, and grows by `BUFFER_GROWTH` when it is full. */
export const SMALLEST_BUFFER_DIVISOR = 16
export const BUFFER_GROWTH = 4

/** What a record batch's header takes before its first record. */
export const BATCH_HEADER_BYTES = 61

/** More than a record can need beside its key, value and headers: length, attributes, deltas and the lengths of key, value and header count. */
export const RECORD_OVERHEAD_BYTES_MAX = 36

/** More than a header can need beside its name and value. */
export const HEADER_OVERHEAD_BYTES_MAX = 10

/** What a produce request takes beside the batches: header, transactional id, acks, timeout. */
export const REQUEST_OVERHEAD_BYTES = 256

/** What one partition takes in a produce request beside its batch, with a share of its topic's name. */
export const PARTITION_OVERHEAD_BYTES = 64

/** Batches that are sent before the event loop gets its turn: a thousand partitions at once would hold it for many milliseconds. */
export const BATCHES_PER_POLL = 256

/** How many choices of a partition are made on the same weights, as a part of the number of partitions. */
export const WEIGHTS_HOLD_FOR: number = 1 / 16

/** Longest name of a topic that Kafka accepts. */
export const TOPIC_NAME_LENGTH_MAX = 249

/** Entries of a list that are passed before the list is made shorter. */
export const COMPACT_AFTER = 1_024

/** A string key of up to a third as many characters is hashed without an allocation. */
export const KEY_SCRATCH_BYTES = 4_096

/** A broker that counts as unavailable may get records without a key again after it got nothing for so long. */
export const UNAVAILABLE_NODE_RETRY_MS = 30_000

/** Topics of which metrics are kept at most: those that were sent to last. */
export const METRIC_TOPICS_MAX = 1_000

/** Brokers of which metrics are kept at most. */
export const METRIC_NODES_MAX = 1_000
