/** Digits of an offset in a file name, enough for any int64. */
const OFFSET_DIGITS = 20

export const LOG_SUFFIX = '.log'
export const OFFSET_INDEX_SUFFIX = '.index'
export const TIME_INDEX_SUFFIX = '.timeindex'
export const TRANSACTION_INDEX_SUFFIX = '.txnindex'
export const SNAPSHOT_SUFFIX = '.snapshot'
/** A directory on its way out: Kafka's `UnifiedLog.DELETE_DIR_SUFFIX`. */
export const DELETE_DIRECTORY_SUFFIX = '-delete'
/** A directory that belongs to no known topic: kept for a human to look at, as Kafka does. */
export const STRAY_DIRECTORY_SUFFIX = '-stray'
export const PARTITION_METADATA_FILE = 'partition.metadata'
export const LEADER_EPOCH_FILE = 'leader-epoch-checkpoint'

/** `00000000000000000042.log` for offset 42 and `.log`. */
export function offsetFileName(offset: number, suffix: string): string {
  return String(offset).padStart(OFFSET_DIGITS, '0') + suffix
}

/** The offset in a file name with exactly this suffix, or null when the name is of another kind. */
export function offsetOfFileName(name: string, suffix: string): number | null {
  if (!name.endsWith(suffix)) return null
  const digits = name.slice(0, -suffix.length)
  if (!/^[0-9]{20}$/.test(digits)) return null
  const offset = Number(digits)
  return Number.isSafeInteger(offset) ? offset : null
}

export function partitionDirectory(topic: string, partition: number): string {
  return `${topic}-${partition}`
}

/** The topic and partition that a directory name stands for, or null. Topic names may contain dashes. */
export function parsePartitionDirectory(name: string): { topic: string; partition: number } | null {
  const match = /^(?<topic>[A-Za-z0-9._-]+)-(?<partition>0|[1-9][0-9]*)$/.exec(name)
  if (match === null) return null
  return { topic: match.groups!['topic']!, partition: Number(match.groups!['partition']) }
}
