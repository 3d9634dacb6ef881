import { setTimeout as sleep } from 'node:timers/promises'
import { Producer } from '@millrace/producer'

/** A light flow: a record to every partition, again and again. */
export class Flow {
  readonly #producer: Producer
  readonly #stopped = new AbortController()
  readonly #done: Promise<void>

  constructor(bootstrapServers: string, topic: string, partitions: number, intervalMs: number) {
    this.#producer = new Producer({ bootstrapServers, lingerMs: 0 })
    const records = Array.from({ length: partitions }, (_, partition) => ({ partition, value: 'a light flow of records' }))
    this.#done = this.#send(topic, records, intervalMs)
    this.#done.catch(() => {}) // told by `stop`
  }

  /** Rejects with what ended it before. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    try {
      await this.#done
    } finally {
      await this.#producer.close()
    }
  }

  async #send(topic: string, records: readonly { partition: number; value: string }[], intervalMs: number): Promise<void> {
    const { signal } = this.#stopped
    for (let nextAt = performance.now(); !signal.aborted; nextAt += intervalMs) {
      await sleep(Math.max(0, nextAt - performance.now()), undefined, { signal }).catch(() => {})
      if (!signal.aborted) await this.#producer.sendAll(topic, records)
    }
  }
}
