import { KafkaError } from '@millrace/protocol'
import type { AnyHandler } from '../core/handler.ts'
import { FAULTS_MAX } from '../limits.ts'
import type { Target } from './error-shape.ts'
import { checkFault, type FaultOptions } from './fault-options.ts'
import { CountedFault, type Fault } from './fault.ts'

/** The faults that are set on a broker, for tests of services that use it. */
export class Faults {
  readonly #handlers: readonly AnyHandler[]
  readonly #nodeId: number
  readonly #onChange: () => void
  readonly #faults = new Set<CountedFault>()
  #nextId = 1
  #closed = false

  /** @internal */
  constructor(handlers: readonly AnyHandler[], nodeId: number, onChange: () => void) {
    this.#handlers = handlers
    this.#nodeId = nodeId
    this.#onChange = onChange
  }

  /**
   * Sets a fault. Of several that fit a request, the one that was set first hits it and the others do not count it.
   * @throws ConfigError naming the option that is wrong; KafkaError `TOO_MANY_FAULTS`, `BROKER_CLOSED`
   */
  add(options: FaultOptions): Fault {
    const action = checkFault(options, this.#handlers, this.#nodeId)
    if (this.#closed) throw new KafkaError('BROKER_CLOSED', 'a fault on a broker that is closed')
    if (this.#faults.size >= FAULTS_MAX) {
      throw new KafkaError('TOO_MANY_FAULTS', `${FAULTS_MAX} faults are set already: remove those that are spent`)
    }
    const kept = { ...options, answer: typeof options.answer === 'object' ? { ...options.answer } : options.answer }
    const fault = new CountedFault(this.#nextId++, kept, action, (removed) => {
      this.#faults.delete(removed)
      this.#onChange()
    })
    this.#faults.add(fault)
    this.#onChange()
    return fault
  }

  /** Those that were not removed, spent ones too, in the order in which they were set. */
  list(): Fault[] {
    return [...this.#faults]
  }

  /** Removes all. */
  clear(): void {
    for (const fault of this.#faults) fault.remove()
  }

  /** @internal */
  get size(): number {
    return this.#faults.size
  }

  /** @internal The fault that hits this request. */
  find(api: string, clientId: string | null, targets: () => readonly Target[]): CountedFault | null {
    for (const fault of this.#faults) {
      if (fault.options.api === api && fault.takes(clientId, targets())) return fault
    }
    return null
  }

  /** @internal */
  close(): void {
    this.#closed = true
    for (const fault of this.#faults) fault.brokerClosed()
  }
}
