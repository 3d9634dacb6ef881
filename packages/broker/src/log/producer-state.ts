import { KafkaError } from '@millrace/protocol'
import {
  NO_VALUE,
  RecordBatch,
  baseSequence,
  isControl,
  isTransactional,
  lastOffset,
  lastOffsetDelta,
  lastSequence,
  maxTimestamp,
  producerEpoch,
  producerId,
  readEndTransactionMarker,
  recordCount,
} from '@millrace/records/internal'
import type { Storage } from '../storage/storage.ts'
import { LogError } from './log-error.ts'
import { SNAPSHOT_SUFFIX, offsetFileName, offsetOfFileName } from './log-files.ts'
import { ProducerEntry, type ProducerBatch } from './producer-entry.ts'
import { producersOfSnapshot, producerSnapshotOf } from './producer-snapshot.ts'

const SEQUENCE_MAX = 0x7fff_ffff

/**
 * The producers that wrote to a partition, and with which sequences: what makes a repeated batch harmless. Kafka's
 * `ProducerStateManager` and `ProducerAppendInfo`.
 */
export class ProducerState {
  readonly #storage: Storage
  readonly #directory: string
  readonly #producers = new Map<number, ProducerEntry>()
  /** Offsets of the snapshot files, ascending. */
  #snapshots: number[]
  #endOffset = 0
  #snapshotOffset = 0

  constructor(storage: Storage, directory: string) {
    this.#storage = storage
    this.#directory = directory
    this.#snapshots = storage
      .list(directory)
      .map((name) => offsetOfFileName(name, SNAPSHOT_SUFFIX))
      .filter((offset) => offset !== null)
      .sort((left, right) => left - right)
  }

  get size(): number {
    return this.#producers.size
  }

  /** The offset up to which batches are accounted for. */
  get endOffset(): number {
    return this.#endOffset
  }

  entries(): Iterable<ProducerEntry> {
    return this.#producers.values()
  }

  get(id: number): ProducerEntry | undefined {
    return this.#producers.get(id)
  }

  /**
   * Whether the batch at the start of `batch` may be appended. Returns the batch it repeats, or null when it is new and in sequence.
   * Throws LogError INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER, or INVALID_TXN_STATE for a batch beside the producer's open transaction.
   */
  check(batch: Buffer, origin: 'client' | 'coordinator', where: string): ProducerBatch | null {
    const id = producerId(batch, 0)
    const entry = this.#producers.get(id)
    if (entry === undefined) return null
    const epoch = producerEpoch(batch, 0)
    const first = baseSequence(batch, 0)
    if (origin === 'client' && epoch === entry.producerEpoch) {
      const known = entry.findBatch(first, lastSequence(batch, 0))
      if (known !== null) return known
    }
    if (epoch < entry.producerEpoch) {
      throw new LogError('INVALID_PRODUCER_EPOCH', `${where}: producer ${id} has epoch ${entry.producerEpoch}, not ${epoch}`)
    }
    if (origin === 'client') checkSequence(entry, epoch, first, where)
    if (entry.currentTxnFirstOffset !== NO_VALUE && !isTransactional(batch, 0)) {
      throw new LogError(
        'INVALID_TXN_STATE',
        `${where}: producer ${id} is in a transaction that began at ${entry.currentTxnFirstOffset}`,
      )
    }
    return null
  }

  /** Accounts for a batch that is in the log: after an append, and when the log is read again. Of a control batch `buffer` has all bytes. */
  update(buffer: Buffer, at: number): void {
    this.#endOffset = lastOffset(buffer, at) + 1
    const id = producerId(buffer, at)
    if (id < 0) return
    const epoch = producerEpoch(buffer, at)
    let entry = this.#producers.get(id)
    if (entry === undefined) {
      entry = new ProducerEntry(id, epoch)
      this.#producers.set(id, entry)
    }
    if (isControl(buffer, at)) return endTransaction(entry, buffer, at)
    const last = lastOffset(buffer, at)
    const delta = lastOffsetDelta(buffer, at)
    entry.addBatch(epoch, lastSequence(buffer, at), last, delta, maxTimestamp(buffer, at))
    if (isTransactional(buffer, at) && entry.currentTxnFirstOffset === NO_VALUE) entry.currentTxnFirstOffset = last - delta
  }

  /**
   * Completes what a snapshot says, which has only the newest batch of each producer, with a batch from before it. Batches must come in
   * the order of the log. Kafka leaves this out, and so refuses what its clients repeat after it was restarted.
   */
  recall(buffer: Buffer, at: number): void {
    const entry = this.#producers.get(producerId(buffer, at))
    const newest = entry?.lastBatch
    if (entry === undefined || newest === undefined || isControl(buffer, at)) return
    const last = lastOffset(buffer, at)
    if (producerEpoch(buffer, at) !== entry.producerEpoch || last >= newest.lastOffset) return
    const offsetDelta = lastOffsetDelta(buffer, at)
    entry.addOlderBatch({
      lastSequence: lastSequence(buffer, at),
      lastOffset: last,
      offsetDelta,
      timestamp: maxTimestamp(buffer, at),
    })
  }

  /** Forgets the producers that did not write for `producer.id.expiration.ms`, unless they are in a transaction. */
  expire(now: number, expirationMs: number): void {
    for (const [id, entry] of this.#producers) {
      if (entry.currentTxnFirstOffset === NO_VALUE && now - entry.lastTimestamp >= expirationMs) this.#producers.delete(id)
    }
  }

  /** Writes a snapshot at `endOffset`, unless nothing came since the last one. */
  takeSnapshot(): void {
    if (this.#endOffset <= this.#snapshotOffset) return
    this.#storage.writeFile(this.#snapshotPath(this.#endOffset), producerSnapshotOf(this.#producers.values()))
    this.#snapshots = [...this.#snapshots.filter((offset) => offset < this.#endOffset), this.#endOffset]
    this.#snapshotOffset = this.#endOffset
  }

  /**
   * Starts over from the newest readable snapshot in `(logStartOffset, logEndOffset]` and returns its offset, from which the log must be
   * replayed; `logStartOffset` when there is none. Snapshots beyond the log's end are removed, and so are unreadable ones.
   */
  reload(logStartOffset: number, logEndOffset: number): number {
    this.#producers.clear()
    this.#removeSnapshots((offset) => offset > logEndOffset || offset <= logStartOffset)
    for (let newest = this.#snapshots.at(-1); newest !== undefined; newest = this.#snapshots.at(-1)) {
      const bytes = this.#storage.readFile(this.#snapshotPath(newest))
      const entries = bytes === null ? null : producersOfSnapshot(bytes)
      if (entries !== null) {
        for (const entry of entries) this.#producers.set(entry.producerId, entry)
        this.#endOffset = newest
        this.#snapshotOffset = newest
        return newest
      }
      const damaged = newest
      this.#removeSnapshots((offset) => offset === damaged)
    }
    this.#endOffset = logStartOffset
    this.#snapshotOffset = logStartOffset
    return logStartOffset
  }

  /** Accounts for an end of the log that no batch stands for (an empty log that starts above 0). */
  advanceTo(offset: number): void {
    this.#endOffset = Math.max(this.#endOffset, offset)
  }

  /** Keeps the snapshots that belong to a segment, and the newest. Kafka's `removeStraySnapshots`. */
  keepSnapshotsOf(segmentBaseOffsets: ReadonlySet<number>): void {
    const newest = this.#snapshots.at(-1)
    this.#removeSnapshots((offset) => offset !== newest && !segmentBaseOffsets.has(offset))
  }

  #removeSnapshots(unwanted: (offset: number) => boolean): void {
    for (const offset of this.#snapshots) if (unwanted(offset)) this.#storage.remove(this.#snapshotPath(offset))
    this.#snapshots = this.#snapshots.filter((offset) => !unwanted(offset))
  }

  #snapshotPath(offset: number): string {
    return `${this.#directory}/${offsetFileName(offset, SNAPSHOT_SUFFIX)}`
  }
}

/**
 * A transaction marker, of a log that a Kafka wrote: it ends the transaction and carries no sequence. `ProducerAppendInfo.appendEndTxnMarker`. One
 * whose record cannot be read says nothing of its coordinator; that the log is sound is not checked here.
 */
function endTransaction(entry: ProducerEntry, buffer: Buffer, at: number): void {
  if (recordCount(buffer, at) === 0) return
  entry.endTransaction(
    producerEpoch(buffer, at),
    maxTimestamp(buffer, at),
    coordinatorEpochOf(buffer, at) ?? entry.coordinatorEpoch,
  )
}

function coordinatorEpochOf(buffer: Buffer, at: number): number | null {
  try {
    for (const record of new RecordBatch(buffer, at, {})) return readEndTransactionMarker(record)?.coordinatorEpoch ?? null
    return null
  } catch (error) {
    if (error instanceof KafkaError) return null
    throw error
  }
}

/** `ProducerAppendInfo.checkSequence`; the epoch is not below the known one. */
function checkSequence(entry: ProducerEntry, epoch: number, first: number, where: string): void {
  if (epoch !== entry.producerEpoch) {
    if (first === 0) return
    throw new LogError(
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      `${where}: producer ${entry.producerId} begins epoch ${epoch} with sequence ${first} instead of 0`,
    )
  }
  // Without a remembered batch -- its epoch came from a transaction marker -- Kafka's last sequence is -1.
  const last = entry.lastBatch?.lastSequence ?? NO_VALUE
  const expected = last === SEQUENCE_MAX ? 0 : last + 1
  if (first === expected) return
  throw new LogError(
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    `${where}: producer ${entry.producerId} sent sequence ${first}; ${expected} was expected`,
  )
}
