import { PRODUCER_ID_BLOCK_SIZE } from '../limits.ts'
import type { Controller } from '../metadata/controller.ts'
import type { Clock } from './clock.ts'
import type { ProducerIds } from './topic-registry.ts'

/** Hands out producer ids from blocks that the metadata log reserves, as Kafka's RPCProducerIdManager does: a restart skips the rest of a block. */
export class ProducerIdAllocator implements ProducerIds {
  readonly #controller: Controller
  readonly #clock: Clock
  #next = 0
  #end = 0

  constructor(controller: Controller, clock: Clock) {
    this.#controller = controller
    this.#clock = clock
  }

  /** @throws StorageError when a new block cannot be reserved */
  next(): number {
    if (this.#next === this.#end) {
      this.#next = this.#controller.reserveProducerIds(PRODUCER_ID_BLOCK_SIZE, this.#clock.now())
      this.#end = this.#next + PRODUCER_ID_BLOCK_SIZE
    }
    return this.#next++
  }
}
