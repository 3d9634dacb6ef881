/** Every bound of this package, in one place. */

/** Partitions asked for in one DescribeTopicPartitions; the broker has a limit of its own and hands out a cursor. Java's default. */
export const DESCRIBE_PARTITIONS_PER_PAGE: number = 2_000

/** Pages after which describing topics is given up: a broker whose cursor goes round in circles must not hold us. */
export const MAX_DESCRIBE_PAGES: number = 10_000

/** How often a topic that metadata does not know is asked for again: one made a moment ago may not be everywhere yet. */
export const UNKNOWN_TOPIC_ATTEMPTS: number = 4

/** Rounds of requests per call to the leaders of partitions; the call's timeout usually ends them first. */
export const MAX_LEADER_ROUNDS: number = 1_000
