import { ErrorCode } from '@millrace/protocol'
import { isRefusal, refusal, type Refusal } from '../core/outcome.ts'
import type { BrokerServices } from '../core/services.ts'
import type { Topic } from '../core/topic-registry.ts'
import { isInternalTopic, OFFSETS_TOPIC } from './topic-name.ts'

/**
 * The offsets topic is never cut by age or size. Kafka compacts it; this broker rolls it up (coordinator/roll-up.ts). Its segments
 * are smaller than Kafka's 100 MiB, for space is freed by the segment.
 */
const OFFSETS_TOPIC_CONFIGS: ReadonlyMap<string, string> = new Map([
  ['retention.bytes', '-1'],
  ['retention.ms', '-1'],
  ['segment.bytes', '8388608'],
])

/** Creates a topic that a client named. Internal topics other than the offsets topic are not served, so they are not created. */
export function autoCreateTopic(
  broker: Pick<BrokerServices, 'config' | 'controller' | 'topics'>,
  name: string,
  now: number,
): Topic | Refusal {
  const isOffsets = name === OFFSETS_TOPIC
  if (isInternalTopic(name) && !isOffsets) return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `'${name}' is not served`)
  const numPartitions = isOffsets ? broker.config.offsetsTopicPartitions : -1
  const configs = isOffsets ? OFFSETS_TOPIC_CONFIGS : new Map<string, string>()
  const created = broker.controller.createTopic(
    { name, numPartitions, replicationFactor: -1, assignments: [], configs },
    false,
    now,
  )
  return isRefusal(created) ? created : broker.topics.byName(name)!
}
