import { KafkaError } from '@millrace/protocol'

/**
 * What became of each item of a verb that takes many: its value or its error, under its key (a topic's name, a group's id,
 * `topic-partition`, `type:name` of a config resource). No item is ever missing: an item that the broker did not answer for has an error.
 */
export class ItemResults<Value> {
  /** The items that went well, in the order they were asked for. */
  readonly values: ReadonlyMap<string, Value>
  /** The items that failed, each with its error. */
  readonly errors: ReadonlyMap<string, KafkaError>

  constructor(values: ReadonlyMap<string, Value>, errors: ReadonlyMap<string, KafkaError>) {
    this.values = values
    this.errors = errors
  }

  /** The items that went well. */
  get size(): number {
    return this.values.size
  }

  /**
   * The item's value.
   * @throws KafkaError the item's own error; UNKNOWN_ITEM if it was not asked for
   */
  get(key: string): Value {
    if (this.values.has(key)) return this.values.get(key)!
    throw this.errors.get(key) ?? new KafkaError('UNKNOWN_ITEM', `${JSON.stringify(key)} was not asked for`)
  }

  /** The item's error; null if it went well. */
  error(key: string): KafkaError | null {
    return this.errors.get(key) ?? null
  }

  /**
   * These results, if nothing failed.
   * @throws KafkaError the error itself if one item was asked for, ItemsFailedError if there were more
   */
  orThrow(): this {
    const [first] = this.errors.values()
    if (first === undefined) return this
    if (this.errors.size === 1 && this.values.size === 0) throw first
    throw new ItemsFailedError(this)
  }

  /** The keys and values of the items that went well. */
  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.values.entries()
  }
}

/** Some items of a call failed. `results` has what became of each, so what went well is not lost. */
export class ItemsFailedError extends KafkaError {
  override readonly name: string = 'ItemsFailedError'
  readonly results: ItemResults<unknown>

  constructor(results: ItemResults<unknown>) {
    const errors = [...results.errors]
    const list = errors.map(([key, error]) => `${key}: ${error.message}`).join('; ')
    super('ITEMS_FAILED', `${errors.length} of ${errors.length + results.size} failed: ${list}`, {
      retriable: errors.every(([, error]) => error.retriable),
      cause: errors[0]![1],
    })
    this.results = results
  }
}

/** Collects results while answers come in, and sees to it that every key that was asked for has one in the end. */
export class ResultCollector<Value> {
  readonly #keys: readonly string[]
  readonly #values = new Map<string, Value>()
  readonly #errors = new Map<string, KafkaError>()

  constructor(keys: readonly string[]) {
    this.#keys = keys
  }

  succeed(key: string, value: Value): void {
    this.#values.set(key, value)
  }

  fail(key: string, error: KafkaError): void {
    this.#errors.set(key, error)
  }

  finish(): ItemResults<Value> {
    const values = new Map<string, Value>()
    const errors = new Map<string, KafkaError>()
    for (const key of new Set([...this.#keys, ...this.#values.keys(), ...this.#errors.keys()])) {
      const error = this.#errors.get(key)
      if (error !== undefined) errors.set(key, error)
      else if (this.#values.has(key)) values.set(key, this.#values.get(key)!)
      else errors.set(key, new KafkaError('MISSING_FROM_RESPONSE', `the broker's answer says nothing about ${key}`))
    }
    return new ItemResults(values, errors)
  }
}
