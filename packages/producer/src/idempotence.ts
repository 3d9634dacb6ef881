import { PRODUCER_EPOCH_MAX } from './limits.ts'
import type { ProducerBatch } from './producer-batch.ts'
import { sequenceAfter } from './sequence.ts'

/**
 * The producer id and epoch of one producer. `missing`: to be asked for. `requested`: asked for. `ready`: in hand.
 */
export class ProducerIdentity {
  state: 'missing' | 'requested' | 'ready' = 'missing'
  producerId = -1
  epoch = -1

  assign(producerId: number, epoch: number): void {
    this.producerId = producerId
    this.epoch = epoch
    this.state = 'ready'
  }

  /**
   * Moves to the next epoch, so that no pair of epoch and sequence is ever used for two batches (KIP-360). The last epoch
   * of an id is followed by a new id from the broker.
   */
  bump(): void {
    if (this.epoch < PRODUCER_EPOCH_MAX) {
      this.epoch++
      return
    }
    this.state = 'missing'
    this.producerId = -1
    this.epoch = -1
  }
}

/**
 * The sequences of one partition. They are given out when a batch is first sent and stay with it through its retries.
 * When the partition's sequence has a gap that no retry can close, everything outstanding is numbered anew from zero
 * under the next epoch, but only after no request with the old numbers is in flight any more: until then, the broker may
 * still accept one of them.
 */
export class PartitionSequences {
  producerId = -1
  epoch = -1
  #next = 0
  #resetRequired = false
  /**
   * Whether the broker has stored a batch of this producer id and epoch. Before that it takes any sequence as the first, so a second
   * batch in flight could overtake one that is refused: until then, one at a time.
   */
  #isEstablished = false
  /** Batches that have a sequence and no outcome yet, in sequence order. */
  readonly #outstanding: ProducerBatch[] = []

  get resetRequired(): boolean {
    return this.#resetRequired
  }

  get outstandingCount(): number {
    return this.#outstanding.length
  }

  /** Whether `batch` may be sent now. */
  maySend(batch: ProducerBatch, identity: ProducerIdentity): boolean {
    // A retry goes alone: what follows it is refused until it is stored (Java: RecordAccumulator.shouldStopDrainBatchesForPartition).
    if (batch.hasSequence) return this.#outstanding[0] === batch && (!this.#resetRequired || batch.isOutcomeUnknown)
    if (identity.state !== 'ready' || this.#resetRequired) return false
    return this.#outstanding.length === 0 || (this.#isEstablished && !this.#isStale(identity))
  }

  /**
   * Whether everything outstanding can be numbered anew. If the first may be stored already, it is sent once more as it was: the
   * broker's answer tells. If it is not stored, then none after it is, since the broker takes no sequence out of turn.
   */
  get mayReset(): boolean {
    return this.#resetRequired && !(this.#outstanding[0]?.isOutcomeUnknown ?? false)
  }

  /** Gives `batch` its sequence unless it has one. `maySend` must hold. */
  assign(batch: ProducerBatch, identity: ProducerIdentity): void {
    if (batch.hasSequence) return
    if (this.#isStale(identity)) this.#restart(identity)
    batch.setProducerState(this.producerId, this.epoch, this.#next)
    this.#next = sequenceAfter(this.#next, batch.recordCount)
    this.#outstanding.push(batch)
  }

  isFirstOutstanding(batch: ProducerBatch): boolean {
    return this.#outstanding[0] === batch
  }

  /** The broker has the batch. */
  delivered(batch: ProducerBatch): void {
    this.#remove(batch)
    if (batch.producerEpoch === this.epoch && batch.producerId === this.producerId) this.#isEstablished = true
  }

  /** The batch was given up: whether the broker has it or not, the sequence can only go on under a new epoch. */
  abandoned(batch: ProducerBatch): void {
    if (this.#remove(batch)) this.#resetRequired = true
  }

  /** The broker knows nothing of this producer in the partition any more. */
  forgotten(): void {
    this.#isEstablished = false
  }

  requireReset(): void {
    this.#resetRequired = true
  }

  /** Puts the parts of a batch that was too large in its place; together they take its sequences. */
  replace(batch: ProducerBatch, parts: readonly ProducerBatch[]): void {
    const at = this.#outstanding.indexOf(batch)
    if (at < 0) return
    this.#outstanding.splice(at, 1, ...parts)
    let sequence = batch.baseSequence
    for (const part of parts) {
      part.setProducerState(batch.producerId, batch.producerEpoch, sequence)
      sequence = sequenceAfter(sequence, part.recordCount)
    }
  }

  /** Where `batch` stands among the outstanding ones; those without a sequence come after all of them. */
  orderOf(batch: ProducerBatch): number {
    const at = this.#outstanding.indexOf(batch)
    return at < 0 ? Number.MAX_SAFE_INTEGER : at
  }

  /**
   * Numbers everything outstanding anew; `mayReset` must hold. Nothing of this partition may be in flight. Bumps the epoch, unless another
   * partition did so since this one's sequences began. False while a new producer id must come first.
   */
  reset(identity: ProducerIdentity): boolean {
    if (identity.state === 'ready' && !this.#isStale(identity)) identity.bump()
    if (identity.state !== 'ready') return false
    this.#restart(identity)
    for (const batch of this.#outstanding) {
      batch.setProducerState(this.producerId, this.epoch, this.#next)
      this.#next = sequenceAfter(this.#next, batch.recordCount)
    }
    this.#resetRequired = false
    return true
  }

  #restart(identity: ProducerIdentity): void {
    this.producerId = identity.producerId
    this.epoch = identity.epoch
    this.#next = 0
    this.#isEstablished = false
  }

  #isStale(identity: ProducerIdentity): boolean {
    return this.producerId !== identity.producerId || this.epoch !== identity.epoch
  }

  #remove(batch: ProducerBatch): boolean {
    const at = this.#outstanding.indexOf(batch)
    if (at >= 0) this.#outstanding.splice(at, 1)
    return at >= 0
  }
}
