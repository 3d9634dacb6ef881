import { CompressionRatio } from './compression-ratio.ts'
import type { NodeAvailability } from './node-availability.ts'

/** How a partition does now. */
export interface PartitionLoad {
  /** -1: it cannot be written to. */
  readonly leader: number
  /** Batches that were not sent yet. */
  readonly queuedBatches: number
}

/** Where records go for which neither the user nor a key says so. */
export interface UnkeyedPartitioner {
  /** The partition for the next record. `partitions` must not be empty. */
  choose(partitions: readonly PartitionLoad[]): number
  /** Tells that a record went to the chosen partition, and how many bytes it took. */
  account(bytes: number): void
}

/**
 * One partition until about `stickyBytes` went there, then another at random among those that have a leader (KIP-794): batches fill up. The
 * less a partition has waiting, the likelier it is chosen, so a slow broker gets less; without `availability`, all are equal.
 */
export class StickyPartitioner implements UnkeyedPartitioner {
  readonly #stickyBytes: number
  readonly #random: () => number
  readonly #availability: NodeAvailability | null
  readonly #compressionRatio: CompressionRatio
  #partition = -1
  #bytes = 0
  /** The partitions that take part. */
  #candidates: number[] = []

  /**
   * @param availability null: no partition is chosen more often than another, whatever it has waiting
   * @param compressionRatio what compression leaves of the bytes that are accounted for
   */
  constructor(
    stickyBytes: number,
    random: () => number,
    availability: NodeAvailability | null,
    compressionRatio: CompressionRatio = new CompressionRatio(),
  ) {
    this.#compressionRatio = compressionRatio
    this.#stickyBytes = Math.max(1, stickyBytes)
    this.#random = random
    this.#availability = availability
  }

  choose(partitions: readonly PartitionLoad[]): number {
    if (this.#partition < 0 || this.#bytes >= this.#stickyBytes || this.#partition >= partitions.length) {
      this.#bytes = 0
      this.#partition = this.#next(partitions)
    }
    return this.#partition
  }

  account(bytes: number): void {
    this.#bytes += bytes * this.#compressionRatio.estimate
  }

  #next(partitions: readonly PartitionLoad[]): number {
    // Java: BuiltInPartitioner.updatePartitionLoadStats and nextPartition. Java brings the weights up to date with each turn of its sender,
    // we do when they are needed.
    if (this.#availability !== null) this.#collect(partitions, (leader) => leader >= 0 && this.#availability!.isAvailable(leader))
    else this.#candidates = []
    if (this.#candidates.length === 0) this.#collect(partitions, (leader) => leader >= 0)
    if (this.#candidates.length === 0) this.#collect(partitions, () => true)
    if (this.#availability !== null) return this.#weighted(partitions)
    return this.#candidates[Math.floor(this.#random() * this.#candidates.length)]!
  }

  #collect(partitions: readonly PartitionLoad[], takesPart: (leader: number) => boolean): void {
    this.#candidates = []
    for (let index = 0; index < partitions.length; index++) {
      if (takesPart(partitions[index]!.leader)) this.#candidates.push(index)
    }
  }

  /** The weight of a partition is how much less it has waiting than the one that has the most, plus one. */
  #weighted(partitions: readonly PartitionLoad[]): number {
    let most = 0
    for (const index of this.#candidates) most = Math.max(most, partitions[index]!.queuedBatches)
    const sums: number[] = []
    let sum = 0
    for (const index of this.#candidates) sums.push((sum += most + 1 - partitions[index]!.queuedBatches))
    const target = Math.floor(this.#random() * sum)
    return this.#candidates[firstGreater(sums, target)]!
  }
}

/** The position of the first of `sums`, which grow, that is greater than `target`; the last one is. */
function firstGreater(sums: readonly number[], target: number): number {
  let low = 0
  let high = sums.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (sums[middle]! > target) high = middle
    else low = middle + 1
  }
  return low
}

/** Each record to the next partition in turn that has a leader (Java: RoundRobinPartitioner), whatever its key. */
export class RoundRobinPartitioner implements UnkeyedPartitioner {
  #next = 0
  #chosen = 0

  choose(partitions: readonly PartitionLoad[]): number {
    const count = partitions.length
    this.#chosen = this.#next % count
    for (let step = 0; step < count; step++) {
      const candidate = (this.#next + step) % count
      if (partitions[candidate]!.leader < 0) continue
      this.#chosen = candidate
      break
    }
    return this.#chosen
  }

  account(): void {
    this.#next = this.#chosen + 1
  }
}
