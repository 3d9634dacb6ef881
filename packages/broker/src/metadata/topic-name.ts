import { TOPIC_NAME_LENGTH_MAX } from '../limits.ts'

const INTERNAL_TOPICS: ReadonlySet<string> = new Set(['__consumer_offsets', '__transaction_state', '__share_group_state'])

/** The metadata log's directory lies among those of topics, so no topic may take its name (Kafka: Topic.CLUSTER_METADATA_TOPIC_NAME). */
export const CLUSTER_METADATA_TOPIC = '__cluster_metadata'
export const OFFSETS_TOPIC = '__consumer_offsets'

export function isInternalTopic(name: string): boolean {
  return INTERNAL_TOPICS.has(name)
}

/** What is wrong with a topic name, in Kafka's words (Topic.validate), or null. */
export function invalidTopicName(name: string): string | null {
  if (name === '') return 'Topic name is invalid: the empty string is not allowed'
  if (name === '.' || name === '..') return `Topic name is invalid: '${name}' is not allowed`
  if (name.length > TOPIC_NAME_LENGTH_MAX) {
    return `Topic name is invalid: the length of '${name}' is longer than the max allowed length ${TOPIC_NAME_LENGTH_MAX}`
  }
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `Topic name is invalid: '${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
  }
  if (name === CLUSTER_METADATA_TOPIC) return `Topic name is invalid: '${name}' is reserved`
  return null
}

/** Names that differ only in `.` and `_` collide, for metric names in Kafka cannot tell them apart. */
export function collisionKey(name: string): string {
  return name.replaceAll('.', '_')
}

export function hasCollisionCharacters(name: string): boolean {
  return name.includes('.') || name.includes('_')
}
