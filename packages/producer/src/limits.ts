/** Every bound of this package that is not an option. */

/** Largest backlog of `send` and `sendAll` calls that wait for metadata or for buffer memory. */
export const WAITING_SENDS_MAX = 1_000_000

/** Largest number of requests in flight to one broker with idempotence: a broker remembers five batches per producer and partition. */
export const IDEMPOTENT_IN_FLIGHT_MAX = 5

/** Producer epochs are int16; past this one a new producer id is asked for. */
export const PRODUCER_EPOCH_MAX = 0x7fff

/** Sequences are int31 and wrap to zero (Kafka: DefaultRecordBatch.incrementSequence). */
export const SEQUENCE_MODULUS = 0x8000_0000

/** Buffers of `batchSize` kept for the next batch. */
export const POOLED_BUFFERS_MAX = 64

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

/** Longest name of a topic that Kafka accepts. */
export const TOPIC_NAME_LENGTH_MAX = 249

/** Entries of a list that are passed before the list is made shorter. */
export const COMPACT_AFTER = 1_024

/** A string key of up to a third as many characters is hashed without an allocation. */
export const KEY_SCRATCH_BYTES = 4_096
