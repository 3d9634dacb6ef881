/** Whether a partition can be written to now. */
export interface PartitionAvailability {
  readonly leader: number
}

/**
 * Where records without a key go (KIP-794): one partition until about `stickyBytes` went there, then another at random
 * among those that have a leader. Every partition gets the same share of bytes, and batches fill up.
 */
export class StickyPartitioner {
  readonly #stickyBytes: number
  readonly #random: () => number
  #partition = -1
  #bytes = 0

  constructor(stickyBytes: number, random: () => number) {
    this.#stickyBytes = Math.max(1, stickyBytes)
    this.#random = random
  }

  /** The partition for the next record. `partitions` must not be empty. */
  choose(partitions: readonly PartitionAvailability[]): number {
    if (this.#partition < 0 || this.#bytes >= this.#stickyBytes || this.#partition >= partitions.length) this.#switch(partitions)
    return this.#partition
  }

  /** Tells how many bytes the record took that went to the chosen partition. */
  account(bytes: number): void {
    this.#bytes += bytes
  }

  #switch(partitions: readonly PartitionAvailability[]): void {
    this.#bytes = 0
    const available = partitions.filter((partition) => partition.leader >= 0).length
    const among = available === 0 ? partitions.length : available
    let skip = Math.floor(this.#random() * among)
    for (let index = 0; index < partitions.length; index++) {
      if (available !== 0 && partitions[index]!.leader < 0) continue
      if (skip-- === 0) {
        this.#partition = index
        return
      }
    }
  }
}
