import type { Clock } from './clock.ts'
import type { BrokerConfig } from './broker-config.ts'
import type { ProducerIds, TopicRegistry } from './topic-registry.ts'

/** What handlers reach through their context: each part is the one owner of its state. */
export interface BrokerServices {
  readonly nodeId: number
  readonly clusterId: string
  readonly config: BrokerConfig
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly topics: TopicRegistry
  readonly producerIds: ProducerIds
}
