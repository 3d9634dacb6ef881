import { compareStrings } from './java-order.ts'
import { xxh3 } from './xxh3.ts'

/** What the hash is made from. */
export interface HashedTopic {
  readonly name: string
  readonly id: string
  readonly partitions: { readonly length: number }
}

/** The version of the hash: TOPIC_HASH_MAGIC_BYTE of Kafka's coordinator. */
const MAGIC = 0
const UUID_BYTES = 16

/**
 * Utils.computeTopicHash: changes when the topic is another one of that name, has other partitions, or has them on other racks. There
 * is one broker here and it has no rack.
 */
export function topicHash({ name, id, partitions }: HashedTopic): bigint {
  const text = Buffer.from(name, 'utf16le')
  const bytes = Buffer.allocUnsafe(1 + UUID_BYTES + text.length + 4 + 4 + 4 * partitions.length)
  const uuid = Buffer.from(id, 'base64url')
  let position = bytes.writeUInt8(MAGIC, 0)
  position = bytes.writeBigUInt64LE(uuid.readBigUInt64BE(0), position)
  position = bytes.writeBigUInt64LE(uuid.readBigUInt64BE(8), position)
  position += text.copy(bytes, position)
  position = bytes.writeInt32LE(name.length, position)
  position = bytes.writeInt32LE(partitions.length, position)
  for (let index = 0; index < partitions.length; index++) position = bytes.writeInt32LE(index, position)
  return xxh3(bytes)
}

/** Utils.computeGroupHash, of the topics that exist; 0 when none does. */
export function groupHash(hashes: ReadonlyMap<string, bigint>): bigint {
  if (hashes.size === 0) return 0n
  const bytes = Buffer.allocUnsafe(8 * hashes.size)
  let position = 0
  for (const [, hash] of [...hashes].toSorted(([a], [b]) => compareStrings(a, b)))
    position = bytes.writeBigInt64LE(hash, position)
  return xxh3(bytes)
}
