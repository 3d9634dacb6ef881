import type { BrokerConfig } from '../config/broker-config.ts'
import type { GroupCoordinator } from '../coordinator/group-coordinator.ts'
import type { Controller } from '../metadata/controller.ts'
import type { MetadataImage } from '../metadata/metadata-image.ts'
import type { ServedApi } from './api-router.ts'
import type { BrokerEvents } from './broker-events.ts'
import type { FetchService } from '../fetch/fetch-service.ts'
import type { Clock } from './clock.ts'
import type { ProducerIds, TopicRegistry } from './topic-registry.ts'

/** Where clients reach this broker, as Metadata tells them. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** What handlers reach through their context: each part is the one owner of its state. */
export interface BrokerServices {
  readonly nodeId: number
  readonly clusterId: string
  readonly config: BrokerConfig
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly events: BrokerEvents
  /** The advertised listener: the address that is bound, unless another was given. */
  readonly endpoint: Endpoint
  /** The APIs that have a handler, by key. */
  readonly served: readonly ServedApi[]
  readonly topics: TopicRegistry
  /** What the metadata log says: topics, their own configurations, features. */
  readonly image: MetadataImage
  /** Changes topics and configurations. */
  readonly controller: Controller
  readonly producerIds: ProducerIds
  readonly groups: GroupCoordinator
  /** Fetch sessions, and the Fetch and Produce requests that wait. */
  readonly fetches: FetchService
}
