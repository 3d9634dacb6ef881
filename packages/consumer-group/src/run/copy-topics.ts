import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import { metadataApi, type MetadataRequest } from '@millrace/protocol/apis/metadata'
import type { ClusterClient } from '@millrace/client/internal'
import { RUN_TOPIC_LOOK_MS, RUN_TOPIC_LOOKS } from '../limits.ts'
import { MissingTopicError } from './run-errors.ts'
import type { FailurePolicy } from './run-options.ts'

/** That the topic is not there, and does not come by itself, or that its name is none to the broker. Whether it may be written to, the producer will learn. */
const MISSING: ReadonlySet<number> = new Set([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.INVALID_TOPIC_EXCEPTION])

/**
 * Looks whether the topics that records may be copied to are there, as a producer would: brokers that create topics by themselves create them. For a few times, as a
 * topic that was just made, or is being made, is unknown to brokers for a while.
 * @throws {MissingTopicError} for the first that is not; or what ended the look
 */
export async function checkCopyTopics(failures: FailurePolicy, cluster: ClusterClient, signal: AbortSignal): Promise<void> {
  const options = new Map(failures.retryTopics.map(({ topic }) => [topic, 'retryTopics']))
  if (failures.deadLetterTopic !== null) options.set(failures.deadLetterTopic, 'deadLetterTopic')
  for (let looks = 1; options.size > 0; looks++) {
    const errors = await errorsOf([...options.keys()], cluster, signal)
    for (const topic of options.keys()) if (!MISSING.has(errors.get(topic) ?? ErrorCode.NONE)) options.delete(topic)
    const [missing] = options
    if (missing === undefined) return
    if (looks === RUN_TOPIC_LOOKS) throw new MissingTopicError(missing[0], missing[1], errors.get(missing[0])!)
    await cluster.sleep(RUN_TOPIC_LOOK_MS, signal)
  }
}

async function errorsOf(topics: readonly string[], cluster: ClusterClient, signal: AbortSignal): Promise<Map<string, number>> {
  const request: MetadataRequest = {
    topics: topics.map((name) => ({ topicId: ZERO_UUID, name })),
    allowAutoTopicCreation: true,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  }
  const response = await cluster.send(metadataApi, request, 'any', { signal })
  return new Map(response.topics.map(({ name, errorCode }) => [name ?? '', errorCode]))
}
