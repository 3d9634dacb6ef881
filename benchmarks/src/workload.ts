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

export interface ConsumeWorkload extends Target {
  readonly kind: 'consume'
  /** Received before measuring begins. */
  readonly warmupMessages: number
  /** Received while measuring. */
  readonly messages: number
}

export type Workload = ProduceWorkload | LatencyWorkload | MemoryWorkload | ConsumeWorkload

/** What the child process measured over the steady phase, its start and warm-up excluded. */
export interface Measurement {
  readonly messagesPerSecond: number
  readonly cpuMicrosPerMessage: number
  readonly peakRssBytes: number
}

export interface ProduceMeasurement extends Measurement {
  /** Every message acknowledged since the start, the warm-up included. */
  readonly acknowledged: number
  /** From a call of the producer to its acknowledgement. */
  readonly callP50Ms: number
  readonly callP99Ms: number
  /** How long the event loop was late, 1 ms exact. */
  readonly loopDelayP99Ms: number
  /** CPU seconds per second. */
  readonly clientCores: number
  readonly brokerCores: number
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

/** What each kind of workload measures. */
export interface MeasurementOf {
  produce: ProduceMeasurement
  latency: LatencyMeasurement
  memory: MemoryMeasurement
  consume: Measurement
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
  openConsumer(workload: ConsumeWorkload, onMessages: (count: number, bytes: number) => void): Promise<BenchConsumer>
}
