import { CompressionRatio } from './compression-ratio.ts'
import { WEIGHTS_HOLD_FOR } from './limits.ts'
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
  /** Tells that a record went to the chosen partition, how many bytes it took, and whether its batch would take another such one. */
  account(bytes: number, hasRoom: boolean): void
}

/**
 * One partition until about `stickyBytes` went there, then another at random among those that have a leader (KIP-794). It is left when a batch
 * is full, or after twice as much (Java: BuiltInPartitioner.updatePartitionInfo): no batch that was just begun is left to linger. The less a partition has waiting, the likelier it is chosen, so a slow broker gets less; without `availability`, all are equal.
 */
export class StickyPartitioner implements UnkeyedPartitioner {
  readonly #stickyBytes: number
  readonly #random: () => number
  readonly #availability: NodeAvailability | null
  readonly #compressionRatio: CompressionRatio
  /** -1: another one is to be chosen. */
  #partition = -1
  #bytes = 0
  /** The partitions that take part: the first `#count`. The lists keep their length, so that nothing is allocated for a batch. */
  readonly #candidates: number[] = []
  #count = 0
  /** The weights of the candidates, each added to those before it. */
  readonly #sums: number[] = []
  /** How often the weights are used before they are taken anew. */
  #usesLeft = 0

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
    if (this.#partition < 0 || this.#bytes >= 2 * this.#stickyBytes || this.#partition >= partitions.length) {
      this.#bytes = 0
      this.#partition = this.#next(partitions)
    }
    return this.#partition
  }

  account(bytes: number, hasRoom: boolean): void {
    const size = bytes * this.#compressionRatio.estimate
    this.#bytes += size
    if (!hasRoom && this.#bytes + size >= this.#stickyBytes) this.#partition = -1
  }

  #next(partitions: readonly PartitionLoad[]): number {
    if (--this.#usesLeft < 0) this.#weigh(partitions)
    const chosen = this.#choice()
    if (chosen < partitions.length && partitions[chosen]!.leader >= 0) return chosen
    this.#weigh(partitions)
    return this.#choice()
  }

  #choice(): number {
    const target = Math.floor(this.#random() * this.#sums[this.#count - 1]!)
    return this.#candidates[firstGreater(this.#sums, this.#count, target)]!
  }

  /**
   * The weight of a partition is how much less it has waiting than the one that has the most, plus one (Java:
   * BuiltInPartitioner.updatePartitionLoadStats, with each turn of its sender). With many partitions it holds for a part of them, so that the work
   * does not grow with their number.
   */
  #weigh(partitions: readonly PartitionLoad[]): void {
    this.#usesLeft = Math.floor(partitions.length * WEIGHTS_HOLD_FOR)
    const availability = this.#availability
    this.#collect(partitions, (leader) => leader >= 0 && (availability === null || availability.isAvailable(leader)))
    if (this.#count === 0) this.#collect(partitions, (leader) => leader >= 0)
    if (this.#count === 0) this.#collect(partitions, () => true)
    let most = 0
    for (let at = 0; at < this.#count; at++) most = Math.max(most, this.#waiting(partitions, at))
    let sum = 0
    for (let at = 0; at < this.#count; at++) this.#sums[at] = sum += most + 1 - this.#waiting(partitions, at)
  }

  #waiting(partitions: readonly PartitionLoad[], at: number): number {
    return this.#availability === null ? 0 : partitions[this.#candidates[at]!]!.queuedBatches
  }

  #collect(partitions: readonly PartitionLoad[], takesPart: (leader: number) => boolean): void {
    this.#count = 0
    for (let index = 0; index < partitions.length; index++) {
      if (takesPart(partitions[index]!.leader)) this.#candidates[this.#count++] = index
    }
  }
}

/** The position of the first of `count` sums, which grow, that is greater than `target`; the last one is. */
function firstGreater(sums: readonly number[], count: number, target: number): number {
  let low = 0
  let high = count - 1
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
