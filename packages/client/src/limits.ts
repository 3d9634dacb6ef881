/** Every bound of this package, in one place. */

/** A response frame may not be longer; a longer one is treated as garbage. Java bounds it by memory only. */
export const MAX_RESPONSE_BYTES: number = 256 * 1024 * 1024

/** So much of a response is given memory before it has come: a fetch of fetch.max.bytes is then read without being moved. */
export const RESPONSE_RESERVE_BYTES: number = 64 * 1024 * 1024

/** Each connection reads into memory of its own of this size, over and over. */
export const READ_BUFFER_BYTES: number = 128 * 1024

/** While versions are negotiated nothing long may arrive: what is longer comes from something that is no Kafka broker. */
export const MAX_NEGOTIATION_BYTES: number = 1024 * 1024

/** Requests on the wire of one connection that wait for their answer; Java's consumer and admin use 100. */
export const MAX_IN_FLIGHT_PER_CONNECTION: number = 100

/** Requests that wait for one connection to be ready or to have room; beyond it `request` rejects. */
export const MAX_QUEUED_PER_CONNECTION: number = 10_000

/** The id is in the header of every request, where its length is an int16. */
export const MAX_CLIENT_ID_BYTES: number = 0x7fff

/** One name may resolve to many addresses; no more of them are tried for one connection. */
export const MAX_ADDRESSES_PER_HOST: number = 16

/** How long one of several addresses may take to accept before the next one is tried. */
export const ADDRESS_ATTEMPT_MS: number = 2_500

export const MAX_BOOTSTRAP_SERVERS: number = 1_000

/** Exchanges of an authenticator with one broker before the connection is given up. */
export const MAX_AUTHENTICATION_STEPS: number = 16

/** The part by which a backoff is shortened or lengthened at random (KIP-580). */
export const BACKOFF_JITTER: number = 0.2

/** The doublings after which a backoff no longer grows, whatever its maximum. */
export const MAX_BACKOFF_DOUBLINGS: number = 30

/** No broker mutes a connection for longer than this, however long a throttle time it names (one hour). */
export const MAX_THROTTLE_MS: number = 3_600_000

/** setTimeout fires at once for more than this. */
export const MAX_TIMER_MS: number = 0x7fffffff

/** Samples that rates, averages and maxima are taken from (Java: metrics.num.samples). */
export const METRIC_SAMPLES: number = 2

/** How long a sample lasts (Java: metrics.sample.window.ms). */
export const METRIC_WINDOW_MS: number = 30_000
