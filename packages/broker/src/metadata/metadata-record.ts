/** A change of the cluster's metadata: the part of Kafka's own metadata records that one node needs. */
export type MetadataRecord =
  | { readonly type: 'feature-level'; readonly name: string; readonly level: number }
  | { readonly type: 'topic'; readonly name: string; readonly topicId: string }
  | PartitionChange
  | LeaderElection
  | { readonly type: 'remove-topic'; readonly topicId: string }
  | ConfigChange
  | { readonly type: 'producer-ids'; readonly brokerId: number; readonly nextProducerId: number }

export interface PartitionChange {
  readonly type: 'partition'
  readonly topicId: string
  readonly partition: number
  readonly leader: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  readonly replicas: readonly number[]
}

/** PartitionChangeRecord with a leader: the leader epoch goes up by one, also when the leader is the same. */
export interface LeaderElection {
  readonly type: 'leader-election'
  readonly topicId: string
  readonly partition: number
  readonly leader: number
}

export interface ConfigChange {
  readonly type: 'config'
  readonly resourceType: number
  readonly resourceName: string
  readonly name: string
  /** null: back to the default. */
  readonly value: string | null
}

/** ConfigResource.Type. */
export const TOPIC_RESOURCE = 2
export const BROKER_RESOURCE = 4
export const GROUP_RESOURCE = 32
