/** Topics of the sections that are not about partitions have this many. */
export const PARTITIONS = 3

/** Messages handed over in one call of a producer, the same for all of them … */
export const CHUNK_MESSAGES = 1_000

/** … unless they are large: clients that gather no batches make one batch of a call, and a broker takes at most 1 MiB. */
export const CHUNK_BYTES = 1_000_000

/** Different chunks that calls send by turns, so that no batch has the same message twice for a codec to find. */
export const CHUNKS = 4

/** Calls of a producer that wait for their acknowledgement at the same time. */
export const CALLS_IN_FLIGHT = 8

/** The same where a thousand partitions are to have something at the same time. */
export const CALLS_IN_FLIGHT_MANY = 32

/** Java's default since 4.0, and what the other clients with a linger are given. */
export const LINGER_MS = 5

/** Java's default `batch.size` holds 16 KiB; a higher one serves every client that batches, so all of them have this. */
export const BATCH_BYTES = 128 * 1024

/** Brokers remember no more batches of an idempotent producer. */
export const IDEMPOTENT_IN_FLIGHT = 5

/** What a consumer may fetch from one partition at a time (Java's default). */
export const FETCH_PARTITION_BYTES = 1024 * 1024

/** The same for all partitions together, for the clients that take such a limit: what serves them best (docs/decisions/0010), and Millrace's default. */
export const FETCH_BYTES = 4 * 1024 * 1024

/** Consuming: a fifth of the measured messages goes first, unmeasured, or `CONSUME_WARMUP_SECONDS_MAX`: connections, group and JIT are warm by then. */
export const WARMUP_SHARE = 0.2

/** Consuming: what a topic holds besides, so that clients that fetch ahead do it until the end: Java's default `fetch.max.bytes`. */
export const FETCH_AHEAD_BYTES = 50 * 1024 * 1024

/**
 * Messages per run by what `--messages` says: 200 MB of 100 B by default, 1 and 2.5 GB of the larger ones. Collections of what lies outside the heap begin late
 * and come seldom, and shorter runs would hardly show them.
 */
export const CONSUME_SHARE: Readonly<Record<number, number>> = { 100: 2, 1024: 1, 10_240: 1 / 4 }

/** A client that has not read all of it in time is measured by what it has read. */
export const CONSUME_SECONDS_MAX = 2
export const CONSUME_WARMUP_SECONDS_MAX = 1

/** From a call of the producer to the consumer's handler: at an even rate, unmeasured, then measured. */
export const END_TO_END_PER_SECOND = 1_000
export const END_TO_END_WARMUP_MESSAGES = 2_000
export const END_TO_END_MESSAGES = 5_000

/** Java's default `batch.size`: what is read was written as most of what is read is. */
export const FILL_BATCH_BYTES = 16 * 1024

/** Producing: what goes first, unmeasured, as a part of the measured time. */
export const WARMUP_TIME_SHARE = 0.5

/** How long a new broker is written to before anything is measured: the JVM's JIT takes its time. */
export const BROKER_WARMUP_SECONDS: Readonly<Record<'embedded' | 'real', number>> = { embedded: 1, real: 5 }

/** A broker's log of a measured topic, per partition: the disk must not fill, nor the memory. */
export const RETENTION_BYTES = 64 * 1024 * 1024
export const SEGMENT_BYTES = 16 * 1024 * 1024
export const RETENTION_CHECK_MS = 250

/** One message at a time: unmeasured, until the JIT has compiled the path, then measured. */
export const LATENCY_WARMUP_MESSAGES = 5_000
export const LATENCY_MESSAGES = 20_000

/** The memory section: 50 million messages and a look at each million. */
export const MEMORY_MESSAGES = 50_000_000
export const MEMORY_SAMPLES = 50

/** A client that does not end within this is reported as failed. */
export const WORKER_LIMIT_MS = 120_000

/** The same for the memory section, which sends for minutes where the machine is slow. */
export const MEMORY_LIMIT_MS = 1_200_000

/** A broker may take this long to know a topic that it has created. */
export const TOPIC_ATTEMPTS = 600
export const TOPIC_RETRY_MS = 50

/** A group that settles: Kafka's own figures would hide behind a heartbeat of seconds what is left to do. */
export const GROUP_MEMBERS = 50
export const GROUP_PARTITIONS = 1_000
export const GROUP_HEARTBEAT_MS = 500

/** Each partition gets a record so often. */
export const GROUP_FLOW_MS = 250

/** How long a group is left alone, for comparison. */
export const GROUP_REST_MS = 300

/** A group that has not settled by then has failed. */
export const GROUP_LIMIT_MS = 60_000

/** Of a real broker whose partitions shall write no index meanwhile. */
export const INDEX_INTERVAL_BYTES = 100 * 1024 * 1024

/** What a container has that is not to be exceeded by a consumer with a backlog. */
export const CONTAINER_BYTES = 512 * 1024 * 1024

/** The backlog: partitions, and bytes of values, which take about half in the log. */
export const BACKLOG_PARTITIONS = 100
export const BACKLOG_VALUE_BYTES = 20_000_000_000
export const BACKLOG_QUICK_VALUE_BYTES = 1_000_000_000

/** Batches of it: what is compressed is larger than what is fetched, and what a partition is fetched for holds several. */
export const BACKLOG_BATCH_BYTES = 256 * 1024

/** A handler of the backlog lets no more through, of values: less than a broker brings. */
export const BACKLOG_BYTES_PER_SECOND = 250_000_000

/** Handlers of the backlog sleep for no less. */
export const BACKLOG_SLEEP_MS = 5

/** A client that has not read the backlog within this is ended. */
export const BACKLOG_LIMIT_MS = 300_000

/** Filling takes as long as the disk does. */
export const FILL_LIMIT_MS = 900_000
export const FILL_CALLS_IN_FLIGHT = 8

/** A measured consumer looks at its memory so often, and tells of it so often: what the kernel has ended tells nothing any more. */
export const MEMORY_LOOK_MS = 100
export const MEMORY_REPORT_MS = 500

/** The consumer's memory section: 100 million messages and a look at each million. */
export const CONSUME_MEMORY_MESSAGES = 100_000_000
export const CONSUME_MEMORY_SAMPLES = 100
export const CONSUME_MEMORY_LIMIT_MS = 900_000
