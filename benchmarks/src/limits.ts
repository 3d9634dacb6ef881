/** Every measured topic has this many partitions. */
export const PARTITIONS = 3

/** Messages handed over in one call of a producer, the same for all of them. */
export const CHUNK_MESSAGES = 1_000

/** Calls of a producer that wait for their acknowledgement at the same time. */
export const CALLS_IN_FLIGHT = 8

/** Java's default since 4.0, and what the other clients with a linger are given. */
export const LINGER_MS = 5

/** Java's default `batch.size` holds 16 KiB; a higher one serves every client that batches, so all of them have this. */
export const BATCH_BYTES = 128 * 1024

/** What a consumer may fetch from one partition at a time (Java's default). */
export const FETCH_PARTITION_BYTES = 1024 * 1024

/** A fifth of the measured messages goes first, unmeasured: connections, group and JIT are warm by then. */
export const WARMUP_SHARE = 0.2

/** A client that does not end within this is reported as failed. */
export const WORKER_LIMIT_MS = 120_000
