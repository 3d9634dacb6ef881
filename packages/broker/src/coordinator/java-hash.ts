/** Java's `String.hashCode`: which partition of the offsets topic holds a group depends on it, also in Kafka's directories. */
export function javaHashCode(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0
  return hash
}

/** Kafka's `Utils.abs(id.hashCode()) % partitions`. */
export function coordinatorPartition(id: string, partitions: number): number {
  const hash = javaHashCode(id)
  return (hash === -2147483648 ? 0 : Math.abs(hash)) % partitions
}
