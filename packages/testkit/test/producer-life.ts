import { Producer, type ProducerOptions, type ProducerRecord, type RecordInput } from '@millrace/producer'
import type { SeededRandom, SimCluster, SimTimer } from '@millrace/testkit'
import type { Call, Ledger, Way } from './producer-ledger.ts'
import type { Tally } from './seeds.ts'

export const TOPICS = ['orders', 'payments'] as const
/** Every topic has so many. */
export const PARTITIONS = 2
const OPERATIONS = 45
/** What is more than some producers' limits. */
const LARGE_BYTES = 900

type Ending = 'flush' | 'close' | 'early' | 'impatient' | 'dispose'

/** Options from one end of what is allowed to the other. */
export function drawOptions(
  random: SeededRandom,
  idempotent: boolean | null,
): Partial<ProducerOptions> & { acks: 'all' | 0 | 1 } {
  const enableIdempotence = idempotent ?? random.chance(0.75)
  const lingerMs = random.pick([0, 0, 1, 5, 50])
  const batchSize = random.pick([0, 150, 400, 2_000, 16_384])
  const requestTimeoutMs = random.pick([300, 1_000, 5_000, 30_000])
  const isPatient = random.chance(0.5)
  return {
    acks: enableIdempotence ? 'all' : random.pick(['all', 'all', 1, 0] as const),
    enableIdempotence,
    lingerMs,
    batchSize,
    bufferMemory: random.chance(0.4) ? Math.max(batchSize, random.pick([400, 1_000, 2_500])) : 1_000_000,
    maxBlockMs: isPatient ? 600_000 : random.pick([0, 50, 500, 500, 3_000, 3_000]),
    maxRequestSize: random.pick([1_048_576, 1_048_576, 700]),
    requestTimeoutMs,
    deliveryTimeoutMs: isPatient ? 600_000 : lingerMs + requestTimeoutMs + random.pick([0, 500, 5_000]),
    maxInFlightRequestsPerConnection: random.between(1, 5),
    compressionType: random.pick(['none', 'none', 'none', 'gzip', 'snappy', 'lz4', 'zstd'] as const),
    retryBackoffMs: random.pick([1, 20, 100]),
    ...random.pick([{}, {}, { partitioner: 'roundRobin' } as const, { partitionerIgnoreKeys: true }]),
  }
}

/** Many batches in flight to few partitions, which fail and expire early: what sequences and epochs must survive. */
function drawHurried(random: SeededRandom): ReturnType<typeof drawOptions> {
  const requestTimeoutMs = random.pick([300, 1_000])
  return {
    ...drawOptions(random, true),
    lingerMs: 0,
    batchSize: random.pick([0, 150]),
    bufferMemory: 1_000_000,
    maxBlockMs: 600_000,
    maxRequestSize: 1_048_576,
    requestTimeoutMs,
    deliveryTimeoutMs: requestTimeoutMs + random.pick([0, 300, 3_000, 600_000]),
    maxInFlightRequestsPerConnection: 5,
    retryBackoffMs: 1,
  }
}

/** One producer from its making to its closing, and everything it is asked to do in between. */
export class ProducerLife {
  readonly name: string
  readonly producer: Producer
  readonly options: Partial<ProducerOptions>
  readonly #cluster: SimCluster
  readonly #ledger: Ledger
  readonly #random: SeededRandom
  readonly #waits: Promise<unknown>[] = []
  readonly #aborts: SimTimer[] = []
  #sent = 0
  #streams = 0
  #closing: Promise<void> | null = null

  constructor(cluster: SimCluster, ledger: Ledger, name: string, idempotent: boolean | null, isHurried = false) {
    this.name = name
    this.#cluster = cluster
    this.#ledger = ledger
    this.#random = cluster.random.fork()
    const options = isHurried ? drawHurried(this.#random) : drawOptions(this.#random, idempotent)
    this.options = options
    this.producer = new Producer(
      { bootstrapServers: cluster.bootstrapServers, clientId: name, ...options },
      cluster.environment(),
    )
    this.producer.on('deliveryFailed', ({ topic, recordCount, error }) =>
      ledger.silentFailures.push({ producer: name, topic, recordCount, error }),
    )
    ledger.producers.set(name, {
      name,
      acks: options.acks,
      idempotent: options.enableIdempotence!,
      inFlight: options.maxInFlightRequestsPerConnection!,
      withinMs: options.maxBlockMs! + options.deliveryTimeoutMs!,
    })
  }

  /** Works, closes, and comes back when everything it waits for has come. */
  async live(): Promise<void> {
    const ending = this.#random.pick<Ending>(['flush', 'close', 'early', 'impatient', 'dispose'])
    const early = ending === 'early' ? this.#random.between(OPERATIONS >> 1, OPERATIONS - 1) : Infinity
    for (let operation = 0; operation < OPERATIONS; operation++) {
      if (operation === early) this.#close({})
      await this.#operate()
    }
    if (ending === 'flush') await this.producer.flush()
    if (ending === 'dispose') this.#closing = this.producer[Symbol.asyncDispose]()
    else if (ending !== 'early') this.#close(ending === 'impatient' ? { timeoutMs: this.#random.between(0, 400) } : {})
    await this.#closing
    const call = this.#newCall('send', 1)
    await this.#send(call, this.#record(call.values[0]!))
    await Promise.all(this.#waits)
    for (const timer of this.#aborts) timer.cancel()
  }

  /** What must be true of a producer that is closed; and what it met. */
  inspect(tally: Tally): void {
    const { complaints } = this.#ledger
    const metrics = this.producer.metrics()
    const free = metrics['buffer-available-bytes']
    if (free !== this.options.bufferMemory)
      complaints.push(`${this.name}: ${free} of ${this.options.bufferMemory} bytes are free in the end`)
    tally.add('split batch', metrics['batch-split-total'])
    tally.add('retried record', metrics['record-retry-total'])
    const inFlight = metrics['requests-in-flight']
    if (inFlight !== 0) complaints.push(`${this.name}: ${inFlight} requests are in flight in the end`)
  }

  async #operate(): Promise<void> {
    const random = this.#random
    const dice = random.between(1, 100)
    if (dice <= 35) await this.#sendOne()
    else if (dice <= 50) this.#sendMany()
    else if (dice <= 65) await this.#postOne()
    else if (dice <= 75) this.#postSilently()
    else if (dice <= 82) this.#burst()
    else if (dice <= 86) this.#stream()
    else if (dice <= 91) this.#flush()
    else await this.#cluster.clock.sleep(random.between(1, 1_000))
  }

  async #sendOne(): Promise<void> {
    const call = this.#newCall('send', 1)
    const record = this.#record(call.values[0]!)
    // A partition that is not there.
    const sent = this.#send(call, this.#random.chance(0.03) ? { ...record, partition: PARTITIONS } : record, this.#signal())
    if (this.#random.chance(0.25)) await sent
    else this.#waits.push(sent)
  }

  async #send(call: Call, record: RecordInput, signal?: AbortSignal): Promise<void> {
    try {
      const { topic } = call
      this.#ledger.storedAt(call, await this.producer.send({ topic, ...record }, signal === undefined ? {} : { signal }))
    } catch (error) {
      this.#ledger.failed(call, error)
    }
  }

  #sendMany(): void {
    const call = this.#newCall('sendAll', this.#random.between(1, 8))
    const signal = this.#signal()
    const sent = this.producer.sendAll(
      call.topic,
      call.values.map((value) => this.#record(value)),
      signal === undefined ? {} : { signal },
    )
    this.#waits.push(
      sent.then(
        (result) => this.#ledger.storedAll(call, result),
        (error: unknown) => this.#ledger.failed(call, error),
      ),
    )
  }

  async #postOne(): Promise<void> {
    const call = this.#newCall('post', 1)
    const hasRoom = this.#post(call, (error, metadata) => {
      if (error === null) this.#ledger.storedAt(call, metadata!)
      else this.#ledger.failed(call, error)
    })
    if (!hasRoom && this.#random.chance(0.7)) await this.producer.ready()
  }

  #postSilently(): void {
    for (let left = this.#random.between(1, 5); left > 0; left--) this.#post(this.#newCall('silent', 1))
  }

  #post(call: Call, onDelivery?: Parameters<Producer['post']>[1]): boolean {
    const record: ProducerRecord = { topic: call.topic, ...this.#record(call.values[0]!) }
    try {
      return onDelivery === undefined ? this.producer.post(record) : this.producer.post(record, onDelivery)
    } catch (error) {
      this.#ledger.failed(call, error)
      return true
    }
  }

  /** More at once than there is room for. */
  #burst(): void {
    for (let left = this.#random.between(5, 25); left > 0; left--) {
      const call = this.#newCall('send', 1)
      this.#waits.push(this.#send(call, this.#record(call.values[0]!), this.#signal()))
    }
  }

  #stream(): void {
    const lane = `s${this.#streams++}`
    const values = Array.from({ length: this.#random.between(1, 6) }, (_, number) => `${this.name}.${lane}.${number}`)
    const call = this.#ledger.call(this.name, this.#random.pick(TOPICS), 'stream', values)
    const records = values.map((value) => this.#record(value))
    this.#waits.push(this.#random.chance(0.5) ? this.#streamOfTheWeb(call, records) : this.#streamOfNode(call, records))
  }

  async #streamOfTheWeb(call: Call, records: RecordInput[]): Promise<void> {
    const writer = this.producer.writable(call.topic).getWriter()
    for (const record of records) writer.write(record).catch(() => {})
    writer.close().catch(() => {})
    await writer.closed.then(
      () => this.#ledger.stored(call, null),
      (error: unknown) => this.#ledger.failed(call, error),
    )
  }

  #streamOfNode(call: Call, records: RecordInput[]): Promise<void> {
    const stream = this.producer.nodeWritable(call.topic)
    const { promise, resolve } = Promise.withResolvers<void>()
    stream.on('finish', () => this.#ledger.stored(call, null))
    stream.on('error', (error: unknown) => this.#ledger.failed(call, error))
    stream.on('close', resolve)
    for (const record of records) stream.write(record)
    stream.end()
    return promise
  }

  #flush(): void {
    const signal = this.#signal()
    const sentAt = this.#cluster.clock.now()
    const flushed = this.producer.flush(signal === undefined ? {} : { signal }).then(
      () => this.#checkTime('flush', sentAt, this.options.maxBlockMs! + this.options.deliveryTimeoutMs!),
      (error: { code?: unknown }) => {
        if (error.code !== 'ABORTED' || signal === undefined)
          this.#ledger.complaints.push(`${this.name}: flush failed: ${String(error.code)}`)
      },
    )
    this.#waits.push(flushed)
  }

  #close(options: { timeoutMs?: number }): void {
    const sentAt = this.#cluster.clock.now()
    this.#closing = this.producer
      .close(options)
      .then(() => this.#checkTime('close', sentAt, options.timeoutMs ?? this.options.deliveryTimeoutMs!))
  }

  #checkTime(what: string, sentAt: number, withinMs: number): void {
    const tookMs = this.#cluster.clock.now() - sentAt
    if (tookMs > withinMs) this.#ledger.complaints.push(`${this.name}: ${what} took ${tookMs} ms, more than ${withinMs}`)
  }

  #newCall(way: Way, count: number): Call {
    const values = Array.from({ length: count }, () => `${this.name}.main.${this.#sent++}`)
    return this.#ledger.call(this.name, this.#random.pick(TOPICS), way, values)
  }

  #record(value: string): RecordInput {
    const random = this.#random
    const size = random.chance(0.02) ? LARGE_BYTES : random.pick([0, 10, 100])
    return {
      value: `${value} ${'x'.repeat(size)}`,
      ...(random.chance(0.6) ? { key: `key-${random.between(0, 9)}` } : {}),
      ...(random.chance(0.2)
        ? {
            headers: [
              ['h', 'one'],
              ['h', null],
            ] as const,
          }
        : {}),
      ...(random.chance(0.1) ? { partition: random.between(0, PARTITIONS - 1) } : {}),
    }
  }

  /** Mostly none; one that fires before, or some time later. */
  #signal(): AbortSignal | undefined {
    const random = this.#random
    if (random.chance(0.85)) return undefined
    const controller = new AbortController()
    if (random.chance(0.1)) controller.abort()
    else this.#aborts.push(this.#cluster.clock.after(random.between(0, 800), () => controller.abort()))
    return controller.signal
  }
}
