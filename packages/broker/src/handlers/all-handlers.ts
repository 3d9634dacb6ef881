import type { AnyHandler } from '../core/handler.ts'
import { apiVersionsHandler } from './api-versions.ts'
import { createPartitionsHandler } from './create-partitions.ts'
import { createTopicsHandler } from './create-topics.ts'
import { deleteTopicsHandler } from './delete-topics.ts'
import { describeClusterHandler } from './describe-cluster.ts'
import { describeConfigsHandler } from './describe-configs.ts'
import { describeTopicPartitionsHandler } from './describe-topic-partitions.ts'
import { incrementalAlterConfigsHandler } from './incremental-alter-configs.ts'
import { metadataHandler } from './metadata.ts'

/** Every API that this broker serves. What is not in this list is not advertised. */
export const allHandlers: readonly AnyHandler[] = [
  apiVersionsHandler,
  createPartitionsHandler,
  createTopicsHandler,
  deleteTopicsHandler,
  describeClusterHandler,
  describeConfigsHandler,
  describeTopicPartitionsHandler,
  incrementalAlterConfigsHandler,
  metadataHandler,
]
