import type { Storage } from '../storage/storage.ts'
import { PARTITION_METADATA_FILE } from './log-files.ts'

/** The topic id that a partition's directory belongs to, or null when it names none. Kafka's `PartitionMetadataFile`. */
export function readTopicId(storage: Storage, directory: string): string | null {
  const text = storage.readFile(`${directory}/${PARTITION_METADATA_FILE}`)?.toString('utf8')
  const match = text === undefined ? null : /^version: 0\ntopic_id: (?<id>[A-Za-z0-9_-]{22})\s*$/.exec(text)
  return match?.groups!['id'] ?? null
}

export function writeTopicId(storage: Storage, directory: string, topicId: string): void {
  storage.writeFile(`${directory}/${PARTITION_METADATA_FILE}`, `version: 0\ntopic_id: ${topicId}`)
}
