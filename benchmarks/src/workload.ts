/** What one child process is asked to do. */
export interface Workload {
  readonly client: string
  readonly kind: 'produce' | 'consume'
  readonly bootstrapServers: string
  readonly topic: string
  readonly messageBytes: number
  /** Sent or received before measuring begins. */
  readonly warmupMessages: number
  /** Sent or received while measuring. */
  readonly messages: number
}

/** What the child process measured over the steady phase, its warm-up excluded. */
export interface Measurement {
  readonly messagesPerSecond: number
  readonly cpuMicrosPerMessage: number
  readonly peakRssBytes: number
  /** From a call of the producer to its acknowledgement; absent for consumers. */
  readonly callP50Ms?: number
  readonly callP99Ms?: number
}

/** One client's way of producing: `send` hands over one prepared chunk and resolves when all of it is acknowledged. */
export interface BenchProducer {
  send(): Promise<unknown>
  close(): Promise<void>
}

/** One client's way of consuming: it reports what it hands to its user, at whatever size suits it. */
export interface BenchConsumer {
  close(): Promise<void>
}

export interface BenchClient {
  openProducer(workload: Workload, values: readonly Buffer[]): Promise<BenchProducer>
  openConsumer(workload: Workload, onMessages: (count: number, bytes: number) => void): Promise<BenchConsumer>
}
