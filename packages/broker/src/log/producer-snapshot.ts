import { crc32c, readInt64, writeInt64 } from '@millrace/records/internal'
import { ProducerEntry } from './producer-entry.ts'

/** Kafka's ProducerSnapshot v1: i16 version, u32 CRC-32C of what follows it, i32 count, then the entries. */
const VERSION = 1
const CRC_POSITION = 2
const COUNT_POSITION = 6
const ENTRIES_POSITION = 10
const ENTRY_BYTES = 46

/** The content of a `.snapshot` file. Of each producer only the newest batch is in it. */
export function encodeProducerSnapshot(producers: Iterable<ProducerEntry>): Buffer {
  const entries = [...producers]
  const bytes = Buffer.alloc(ENTRIES_POSITION + entries.length * ENTRY_BYTES)
  bytes.writeInt16BE(VERSION, 0)
  bytes.writeInt32BE(entries.length, COUNT_POSITION)
  let at = ENTRIES_POSITION
  for (const entry of entries) {
    const batch = entry.lastBatch
    writeInt64(bytes, entry.producerId, at)
    bytes.writeInt16BE(entry.producerEpoch, at + 8)
    bytes.writeInt32BE(batch?.lastSequence ?? -1, at + 10)
    writeInt64(bytes, batch?.lastOffset ?? -1, at + 14)
    bytes.writeInt32BE(batch?.offsetDelta ?? 0, at + 22)
    writeInt64(bytes, entry.lastTimestamp, at + 26)
    bytes.writeInt32BE(entry.coordinatorEpoch, at + 34)
    writeInt64(bytes, entry.currentTxnFirstOffset, at + 38)
    at += ENTRY_BYTES
  }
  bytes.writeUInt32BE(crc32c(bytes, COUNT_POSITION), CRC_POSITION)
  return bytes
}

/** The producers in a `.snapshot` file, or null when the file is of another version, damaged or cut. */
export function decodeProducerSnapshot(bytes: Buffer): ProducerEntry[] | null {
  if (bytes.length < ENTRIES_POSITION || bytes.readInt16BE(0) !== VERSION) return null
  const count = bytes.readInt32BE(COUNT_POSITION)
  if (count < 0 || bytes.length !== ENTRIES_POSITION + count * ENTRY_BYTES) return null
  if (crc32c(bytes, COUNT_POSITION) !== bytes.readUInt32BE(CRC_POSITION)) return null
  const entries: ProducerEntry[] = []
  for (let at = ENTRIES_POSITION; at < bytes.length; at += ENTRY_BYTES) {
    const entry = decodeEntry(bytes, at)
    if (entry === null) return null
    entries.push(entry)
  }
  return entries
}

function decodeEntry(bytes: Buffer, at: number): ProducerEntry | null {
  const producerId = readInt64(bytes, at)
  const lastOffset = readInt64(bytes, at + 14)
  const timestamp = readInt64(bytes, at + 26)
  const txnFirstOffset = readInt64(bytes, at + 38)
  if (producerId === null || lastOffset === null || timestamp === null || txnFirstOffset === null) return null
  const epoch = bytes.readInt16BE(at + 8)
  const entry = new ProducerEntry(producerId, epoch)
  if (lastOffset >= 0) entry.addBatch(epoch, bytes.readInt32BE(at + 10), lastOffset, bytes.readInt32BE(at + 22), timestamp)
  entry.lastTimestamp = timestamp
  entry.coordinatorEpoch = bytes.readInt32BE(at + 34)
  entry.currentTxnFirstOffset = txnFirstOffset
  return entry
}
