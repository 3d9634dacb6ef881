/** Every bound of this package that is not an option. */

/** The coordinator refuses a longer reason for joining or leaving (KIP-800). */
export const REASON_LENGTH_MAX = 255

/** What a JoinGroup may take beyond the rebalance timeout, which the coordinator waits out itself (Java: JOIN_GROUP_TIMEOUT_LAPSE). */
export const JOIN_TIMEOUT_LAPSE_MS = 5_000

/** Default of `fetchMaxBytes`: Java's is 50 MiB, which costs twice the CPU here (docs/decisions/0010). */
export const FETCH_BYTES_DEFAULT = 4_194_304

/** One fetch is read while the next one comes: nothing is fetched of a partition while so many times `maxPartitionFetchBytes` is buffered of it. */
export const BUFFERED_FETCHES_MAX = 1.5

/** When so many bytes came, the next fetch leaves before the application gets to them, so that the broker works meanwhile. With fewer the application goes first. */
export const EARLY_FETCH_BYTES = 65_536

/** Bytes of fetched answers, over all partitions, beyond which only partitions of which nothing is buffered are fetched. */
export const BUFFERED_BYTES_MAX = 67_108_864

/** There is room when so much of `BUFFERED_BYTES_MAX` is free, or as much as one fetch of one partition may bring, if that is less. */
export const FETCH_ROOM_BYTES_MAX = 16_777_216

/** What is asked for at the least when there is no room: each partition has a part of `BUFFERED_BYTES_MAX` then. */
export const STARVED_FETCH_BYTES_MIN = 16_384

/** How long records are handed out without a turn of the event loop, which heartbeats and fetches need. */
export const DELIVERY_SLICE_MS = 10

/** Records handed out between two looks at the clock. */
export const DELIVERY_CLOCK_EVERY = 64

/** The application's progress is looked at so many times per `maxPollIntervalMs`. */
export const POLL_CHECKS_PER_INTERVAL = 4

/** Longest group id, as Kafka's string fields can hold it. */
export const GROUP_ID_BYTES_MAX = 32_767

/** Attempts to leave the group in `close`. */
export const LEAVE_TIMEOUT_MS = 5_000

/** Compressed batches of at least so many bytes are decompressed off the event loop. */
export const ASYNC_DECOMPRESSION_BYTES = 65_536

/** Topics of one subscription. */
export const MAX_TOPICS = 10_000

/** Longest name of a topic that Kafka accepts. */
export const TOPIC_NAME_LENGTH_MAX = 249

/** What a fetch may take beyond `fetchMaxWaitMs`, which the broker waits out itself. */
export const FETCH_TIMEOUT_LAPSE_MS = 5_000

/** A subscribed topic that does not exist is asked for again after so long. */
export const MISSING_TOPIC_REFRESH_MS = 1_000

/** How long `close` waits for its commit. */
export const CLOSE_COMMIT_TIMEOUT_MS = 5_000

/** How long leaving a group waits for the application's listener (Java: DEFAULT_CLOSE_TIMEOUT_MS). */
export const CLOSE_LISTENER_TIMEOUT_MS = 30_000

/** Bytes that a batch is decompressed to and that it keeps, so that they can be given back with it. */
export const DISPOSABLE_BYTES_MAX = 4_194_304

/** Just below the largest size that glibc's thresholds adapt to: 32 MiB, its own header included. */
export const FREED_MEMORY_HINT_BYTES = 33_488_896

/** The most handlers that `run` may be told to have at once. */
export const RUN_CONCURRENCY_MAX = 10_000

/** Records of one partition that `run` takes beyond the first that is not over; at least twice the concurrency. */
export const RUN_WINDOW_RECORDS = 1_000

/** Bytes of one partition that `run` has taken and that are not over. */
export const RUN_WINDOW_BYTES = 1_048_576

/** The same over all partitions. */
export const RUN_BYTES_MAX = 33_554_432

/** Records of one partition that `run` handles in a row while handlers do not wait, unless these take longer than a slice. */
export const RUN_QUANTUM = 1_000

/** A record that is not due for longer is given back, and read again then. */
export const RUN_HOLD_MS = 1_000

/** How often `run` tries again to send a record to a retry or dead-letter topic. */
export const RUN_COPY_RETRIES = 3

/** After so long since the first attempt there is no other: whatever sends has its own patience (`maxBlockMs`, `deliveryTimeoutMs`). */
export const RUN_COPY_RETRY_MS = 10_000

/** How often `run` looks for a retry or dead-letter topic when it begins, and how long after another. */
export const RUN_TOPIC_LOOKS = 8
export const RUN_TOPIC_LOOK_MS = 250

/** How often `run` looks for handlers that do not end, per `maxPollIntervalMs`; of one that has run for half of that, it tells. */
export const RUN_HANDLER_LOOKS = 8

/** Retry topics of one `run`. */
export const RUN_RETRY_TOPICS_MAX = 16

/** Of the stack in a dead letter's header. */
export const DEAD_LETTER_STACK_BYTES_MAX = 8_192

/** Of the error's message in a dead letter's header. */
export const DEAD_LETTER_MESSAGE_BYTES_MAX = 1_024

/** Of the default of `drainTimeoutMs`: as Java's consumer has for `close`. */
export const RUN_DRAIN_TIMEOUT_MS = 30_000
