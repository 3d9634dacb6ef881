/** The simulated wall clock starts here (2026-01-01T00:00:00Z), so that timestamps in a replay are the same on every machine. */
export const SIM_EPOCH_MS = 1_767_225_600_000

/** `SimClock.runUntil` gives up after this much simulated time unless told otherwise. */
export const SIM_RUN_LIMIT_MS = 600_000

/** Timers that fire in one `runUntil` or `advance`; a loop that never waits ends here instead of hanging the test. */
export const SIM_MAX_FIRED_TIMERS = 5_000_000

/** Bytes under way in one direction of a simulated connection before `write` asks its caller to wait for `onDrain`. */
export const SIM_SOCKET_BUFFER_BYTES: number = 64 * 1024

/** How long a simulated disk may take to sync a file in the background. */
export const SIM_SYNC_MAX_MS = 20

/** How long a real Kafka may take from its start to its first complete Metadata answer. */
export const KAFKA_START_LIMIT_MS = 90_000

/** Between two attempts to reach a starting Kafka. */
export const KAFKA_PROBE_INTERVAL_MS = 100

/** One attempt to reach a starting Kafka. */
export const KAFKA_PROBE_TIMEOUT_MS = 2_000

/** How often a start is tried again because another process took the chosen port. */
export const KAFKA_PORT_ATTEMPTS = 3

/** A Kafka that was asked to stop is killed after this. */
export const KAFKA_STOP_LIMIT_MS = 30_000

/** How much of a process's output an error message quotes. */
export const LOG_TAIL_LINES = 30

/** How long a tool (Java, kcat, Python) may run unless told otherwise. */
export const TOOL_LIMIT_MS = 120_000

/** How long Maven may take to fetch Kafka's jars. */
export const MAVEN_LIMIT_MS = 600_000

/** Largest request or response that `rewritingEnvironment` takes apart. */
export const MAX_REWRITTEN_FRAME_BYTES: number = 64 * 1024 * 1024

/** Of the offsets topic, at a time. */
export const COORDINATOR_READ_BYTES: number = 1024 * 1024
