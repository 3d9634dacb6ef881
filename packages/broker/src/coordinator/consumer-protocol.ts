import { Reader } from '@millrace/protocol/internal'
import { decodeConsumerProtocolSubscription } from '@millrace/protocol/apis/consumer-protocol-subscription'

export const CONSUMER_PROTOCOL_TYPE = 'consumer'

/**
 * The topics in the members' subscriptions, or null when one of them cannot be read. Every version begins with version 0, so that
 * is what is read (ClassicGroup.computeSubscribedTopics).
 */
export function subscribedTopics(subscriptions: readonly Buffer[]): ReadonlySet<string> | null {
  const topics = new Set<string>()
  try {
    for (const subscription of subscriptions) {
      const reader = new Reader(subscription)
      if (reader.int16() < 0) return null
      for (const topic of decodeConsumerProtocolSubscription(reader, 0).topics) topics.add(topic)
    }
  } catch {
    // Members of another make may put anything there; then the coordinator knows nothing about topics, as in Kafka.
    return null
  }
  return topics
}
