export type Compression = 'none' | 'lz4' | 'zstd'

/** What a child process of every kind needs to know. */
interface Target {
  readonly client: string
  readonly bootstrapServers: string
  readonly topic: string
  readonly partitions: number
  readonly messageBytes: number
}

/** How a producer is set up. */
export interface ProducerWorkload extends Target {
  readonly compression: Compression
  /** For the clients that can linger. */
  readonly lingerMs: number
  /** For the clients that batch. */
  readonly batchBytes: number
}

/** As fast as it goes, for a time. */
export interface ProduceWorkload extends ProducerWorkload {
  readonly kind: 'produce'
  /** Calls that wait for their acknowledgement at the same time. */
  readonly callsInFlight: number
  /** Whose CPU is read besides. */
  readonly brokerPid: number
  readonly warmupMs: number
  readonly measureMs: number
}

/** One awaited message after another. */
export interface LatencyWorkload extends ProducerWorkload {
  readonly kind: 'latency'
  readonly warmupMessages: number
  readonly messages: number
}

/** As fast as it goes, for very many messages, with a look at the memory every so often. */
export interface MemoryWorkload extends ProducerWorkload {
  readonly kind: 'memory'
  readonly messages: number
  readonly sampleEvery: number
}

/** How a consumer is set up: it reads the topic from its beginning. */
export interface ConsumerWorkload extends Target {
  /** Of what is stored: some clients must be given a codec. */
  readonly compression: Compression
}

/** A number of messages as fast as it goes, so that a topic can be read. */
export interface FillWorkload extends ProducerWorkload {
  readonly kind: 'fill'
  readonly messages: number
}

/** A filled topic as fast as it goes. */
export interface ConsumeWorkload extends ConsumerWorkload {
  readonly kind: 'consume'
  /** Whose CPU is read besides. */
  readonly brokerPid: number
  /** Received before measuring begins. */
  readonly warmupMessages: number
  /** Received while measuring. */
  readonly messages: number
}

/** Messages at an even rate, produced and consumed by one process, whose clock tells how long each was on its way. */
export interface EndToEndWorkload extends ProducerWorkload {
  readonly kind: 'end-to-end'
  readonly messagesPerSecond: number
  readonly warmupMessages: number
  readonly messages: number
}

export type Workload = ProduceWorkload | LatencyWorkload | MemoryWorkload | FillWorkload | ConsumeWorkload | EndToEndWorkload

/** What the child process measured over the steady phase, its start and warm-up excluded. */
export interface Measurement {
  readonly messagesPerSecond: number
  readonly cpuMicrosPerMessage: number
  readonly peakRssBytes: number
}

/** CPU seconds per second. */
export interface Cores {
  readonly clientCores: number
  readonly brokerCores: number
}

export type ConsumeMeasurement = Measurement & Cores

export interface ProduceMeasurement extends Measurement, Cores {
  /** Every message acknowledged since the start, the warm-up included. */
  readonly acknowledged: number
  /** From a call of the producer to its acknowledgement. */
  readonly callP50Ms: number
  readonly callP99Ms: number
  /** How long the event loop was late, 1 ms exact. */
  readonly loopDelayP99Ms: number
}

export interface LatencyMeasurement {
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface MemoryMeasurement {
  /** Before the first message, the client loaded and the payload prepared. */
  readonly baselineBytes: number
  /** Resident memory after each `sampleEvery` messages. */
  readonly samples: readonly number[]
  /** The kernel's own maximum, between samples too. */
  readonly peakRssBytes: number
  readonly messagesPerSecond: number
}

export interface FillMeasurement {
  readonly acknowledged: number
}

/** What each kind of workload measures. */
export interface MeasurementOf {
  produce: ProduceMeasurement
  latency: LatencyMeasurement
  memory: MemoryMeasurement
  fill: FillMeasurement
  consume: ConsumeMeasurement
  'end-to-end': LatencyMeasurement
}

/** One client's way of producing. */
export interface BenchProducer {
  /** Hands over one of the prepared chunks and resolves when all of it is acknowledged. */
  send(chunk: number): Promise<unknown>
  /** Hands over one message and resolves when it is acknowledged. */
  sendOne(): Promise<unknown>
  close(): Promise<void>
}

/** One client's way of consuming: it reports what it hands to its user, at whatever size suits it. */
export interface BenchConsumer {
  close(): Promise<void>
}

export interface BenchClient {
  /** @param chunks the values of each call */
  openProducer(workload: ProducerWorkload, chunks: readonly (readonly Buffer[])[]): Promise<BenchProducer>
  openConsumer(workload: ConsumerWorkload, onMessages: (count: number, bytes: number) => void): Promise<BenchConsumer>
}
