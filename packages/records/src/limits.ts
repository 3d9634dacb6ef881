/** The bytes that one batch may decompress to, unless the caller says otherwise. Kafka has no such limit; a 1 MiB batch of zeros is 1 GiB. */
export const DEFAULT_MAX_DECOMPRESSED_BYTES: number = 64 * 1024 * 1024

/** Decompression of at least this many bytes leaves the event loop in the async calls; below it the hop costs more than the work. */
export const OFF_LOOP_BYTES: number = 64 * 1024

/** The same for LZ4, whose decoder on the loop takes much less CPU than the one off it: docs/decisions/0008. */
export const LZ4_DECODE_OFF_LOOP_BYTES: number = 256 * 1024

/** From so many bytes on, compressing takes about half of the event loop when it leaves it, by codec: measured in docs/decisions/0008. */
export const GZIP_OFF_LOOP_BYTES: number = 16 * 1024
export const ZSTD_OFF_LOOP_BYTES: number = 128 * 1024
export const LZ4_OFF_LOOP_BYTES: number = 128 * 1024
export const SNAPPY_OFF_LOOP_BYTES: number = 256 * 1024

/** The same for zstd from level 5 on, which is two to eight times as slow, and from level 10 on, which is slower by far. */
export const ZSTD_SLOW_LEVEL = 5
export const ZSTD_SLOW_OFF_LOOP_BYTES: number = 16 * 1024
export const ZSTD_SLOWEST_LEVEL = 10
export const ZSTD_SLOWEST_OFF_LOOP_BYTES: number = 2 * 1024

/** Java's `batch.size`. */
export const DEFAULT_BATCH_SIZE_BYTES: number = 16_384

/** int32: the length field of a batch and the length of a key or value. */
export const MAX_BATCH_BYTES: number = 0x7fff_ffff

/** A record of no key, no value and no headers: length, attributes, timestamp, offset, two lengths and a count, one byte each. */
export const MIN_RECORD_BYTES = 7

/** A header of an empty name and no value: two lengths, one byte each. */
export const MIN_HEADER_BYTES = 2

/** Below this many bytes a loop in JavaScript copies faster than a call of `TypedArray.prototype.set`. */
export const INLINE_COPY_BYTES = 12

/** Below this many bytes a loop in JavaScript writes an ASCII string faster than a call of `Buffer.write`. */
export const INLINE_STRING_LENGTH = 12

/** By which records shrink, to guess what is not known before decompression. Not a limit. */
export const TYPICAL_RATIO = 4

/** The unit in which zlib grows its output lies between these. */
export const MIN_OUTPUT_CHUNK_BYTES: number = 16 * 1024
export const MAX_OUTPUT_CHUNK_BYTES: number = 1024 * 1024

/** A zstd frame may ask for a window of 2^23 bytes, as RFC 8878 recommends to support, whatever the limit on the output. */
export const MIN_ZSTD_WINDOW_LOG = 23
/** No zstd frame may ask for more: 2^27 is the most that libzstd grants without being told otherwise. */
export const MAX_ZSTD_WINDOW_LOG = 27

/** Up to so many bytes of what is not compressed, in a window of so many, go through contexts of zstd that are used again. */
export const KEPT_ZSTD_BYTES: number = 256 * 1024
export const KEPT_ZSTD_WINDOW_BYTES: number = 8 * 1024 * 1024

/** Below this many bytes CRC-32C in JavaScript is done before a call into native code has returned. */
export const NATIVE_CRC_BYTES = 256

/** What a record takes beyond its key and value in a batch of ordinary size; an estimate for the first buffer, not a limit. */
export const TYPICAL_RECORD_OVERHEAD_BYTES = 12

/** Snappy input of at least this many bytes is decoded faster by native code than in JavaScript. */
export const NATIVE_SNAPPY_BYTES = 512

/** How many header names the decoder keeps, a power of two. */
export const KEPT_NAMES = 64

/** Longer header names are decoded anew each time. */
export const MAX_KEPT_NAME_BYTES = 32

/** Earlier positions that LZ4's high compression compares at most, at level 13 and above. */
export const MAX_LZ4_ATTEMPTS = 4096
