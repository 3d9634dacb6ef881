import { KafkaError } from '@millrace/protocol'
import { Reader, Writer } from '@millrace/protocol/internal'
import { crc32c, NO_VALUE } from '@millrace/records/internal'
import {
  decodeProducerSnapshot,
  encodeProducerSnapshot,
  type ProducerEntry as SnapshotEntry,
} from '../generated/producer-snapshot.ts'
import { ProducerEntry } from './producer-entry.ts'

const VERSION = 1
const VERSION_BYTES = 2
/** The CRC-32C of what follows it. */
const CRC_POSITION = 2
const CHECKED_POSITION = 6

/** The content of a `.snapshot` file: Kafka's ProducerSnapshot after its version. Of each producer only the newest batch is in it. */
export function producerSnapshotOf(producers: Iterable<ProducerEntry>): Buffer {
  const writer = new Writer()
  writer.int16(VERSION)
  encodeProducerSnapshot(writer, { crc: 0, producerEntries: Array.from(producers, toSnapshot) }, VERSION)
  const bytes = writer.toBuffer()
  bytes.writeUInt32BE(crc32c(bytes, CHECKED_POSITION), CRC_POSITION)
  return bytes
}

/** The producers in a `.snapshot` file, or null when the file is of another version, damaged or cut. */
export function producersOfSnapshot(bytes: Buffer): ProducerEntry[] | null {
  if (bytes.length < CHECKED_POSITION || bytes.readInt16BE(0) !== VERSION) return null
  if (crc32c(bytes, CHECKED_POSITION) !== bytes.readUInt32BE(CRC_POSITION)) return null
  const reader = new Reader(bytes, VERSION_BYTES)
  try {
    const { producerEntries } = decodeProducerSnapshot(reader, VERSION)
    return reader.remaining === 0 && producerEntries.every(isSafe) ? producerEntries.map(fromSnapshot) : null
  } catch (error) {
    if (error instanceof KafkaError) return null
    throw error
  }
}

function toSnapshot(entry: ProducerEntry): SnapshotEntry {
  const batch = entry.lastBatch
  return {
    producerId: BigInt(entry.producerId),
    epoch: entry.producerEpoch,
    lastSequence: batch?.lastSequence ?? NO_VALUE,
    lastOffset: BigInt(batch?.lastOffset ?? NO_VALUE),
    offsetDelta: batch?.offsetDelta ?? 0,
    timestamp: BigInt(entry.lastTimestamp),
    coordinatorEpoch: entry.coordinatorEpoch,
    currentTxnFirstOffset: BigInt(entry.currentTxnFirstOffset),
  }
}

function fromSnapshot(read: SnapshotEntry): ProducerEntry {
  const entry = new ProducerEntry(Number(read.producerId), read.epoch)
  const timestamp = Number(read.timestamp)
  const lastOffset = Number(read.lastOffset)
  if (lastOffset >= 0) entry.addBatch(read.epoch, read.lastSequence, lastOffset, read.offsetDelta, timestamp)
  entry.lastTimestamp = timestamp
  entry.coordinatorEpoch = read.coordinatorEpoch
  entry.currentTxnFirstOffset = Number(read.currentTxnFirstOffset)
  return entry
}

/** No log of ours has numbers beyond the safe integers. */
function isSafe({ producerId, lastOffset, timestamp, currentTxnFirstOffset }: SnapshotEntry): boolean {
  return [producerId, lastOffset, timestamp, currentTxnFirstOffset].every((value) => Number.isSafeInteger(Number(value)))
}
