/** The longest array that we read. Kafka's own limit since 4.4 (MessageUtil.MAX_ARRAY_LENGTH). */
export const MAX_ARRAY_LENGTH = 1_000_000

/** Arrays up to this length are made at once. As in Kafka (MessageUtil.MAX_PREALLOCATED_ARRAY_CAPACITY). */
export const MAX_PREALLOCATED_ELEMENTS = 1000

/** The most tagged fields that one struct may have. Kafka's own limit since 4.4 (MessageUtil.MAX_TAGGED_FIELD_COUNT). */
export const MAX_TAGGED_FIELDS = 10_000

/**
 * The most array elements in one frame, all its arrays together. An element of two bytes becomes an object of fifty, so
 * the size of a frame alone does not bound the memory that it takes. A cluster of 200,000 partitions, with three replicas
 * each, answers Metadata with 1.6 million.
 */
export const MAX_FRAME_ELEMENTS = 4_000_000

/** Strings have an int16 length, or a varint that Kafka holds to the same limit. */
export const MAX_STRING_BYTES = 0x7fff

/** How much memory the splitter gives an announced frame before its bytes have come. */
export const DEFAULT_FRAME_RESERVE_BYTES: number = 1024 * 1024

/** A frame of which less is missing is not read into directly: a read into common memory brings what follows it as well. */
export const DIRECT_READ_BYTES_MIN: number = 32 * 1024
