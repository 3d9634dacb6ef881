import { Admin } from '@millrace/admin'
import { Broker } from '@millrace/broker'
import { Consumer, type ConsumerEvents, type ConsumerOptions } from '@millrace/consumer-group'
import { Producer, type RecordInput } from '@millrace/producer'

const BROKER_CONFIG = { 'group.min.session.timeout.ms': 100, 'group.consumer.heartbeat.interval.ms': 50 }

/** A broker with a producer and an admin client, and quick consumers of it. */
export class TestBench implements AsyncDisposable {
  readonly broker: Broker
  readonly admin: Admin
  readonly producer: Producer
  #names = 0

  private constructor(broker: Broker, admin: Admin, producer: Producer) {
    this.broker = broker
    this.admin = admin
    this.producer = producer
  }

  static async start(): Promise<TestBench> {
    const broker = await Broker.start({ port: 0, config: BROKER_CONFIG })
    broker.requests.start()
    const { bootstrapServers } = broker
    return new TestBench(broker, new Admin({ bootstrapServers }), new Producer({ bootstrapServers, lingerMs: 0 }))
  }

  /** A topic with so many partitions, and in each of them records with the values 0, 1, 2, ... */
  async topic(partitions: number, recordsEach = 0): Promise<string> {
    const name = `t${this.#names++}`
    await this.admin.createTopics([{ name, numPartitions: partitions }])
    for (let partition = 0; partition < partitions; partition++) await this.fill(name, partition, 0, recordsEach)
    return name
  }

  async fill(topic: string, partition: number, from: number, to: number): Promise<void> {
    const records: RecordInput[] = []
    for (let index = from; index < to; index++) records.push({ partition, value: String(index) })
    if (records.length > 0) await this.producer.sendAll(topic, records)
  }

  consumer<Key = Buffer | null, Value = Buffer | null>(options: Partial<ConsumerOptions<Key, Value>> = {}): Consumer<Key, Value> {
    return new Consumer<Key, Value>({
      bootstrapServers: this.broker.bootstrapServers,
      autoOffsetReset: 'earliest',
      retryBackoffMs: 10,
      ...(options.groupProtocol === 'consumer' ? {} : { heartbeatIntervalMs: 50 }),
      ...options,
    })
  }

  async committed(groupId: string, topic: string): Promise<Array<number | null>> {
    const { values } = (await this.admin.fetchGroupOffsets(groupId)).orThrow()
    const ofTopic = [...values.values()].filter((one) => one.topic === topic)
    return ofTopic.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.producer.close()
    await this.admin.close()
    await this.broker.close()
  }
}

/** The offsets of the next `count` records; the last is handled too. */
export async function take(consumer: Consumer, count: number): Promise<number[]> {
  const offsets: number[] = []
  for await (const { offset } of consumer) {
    offsets.push(offset)
    if (offsets.length === count) consumer.stop()
  }
  return offsets
}

export function nextEvent<Name extends keyof ConsumerEvents>(
  consumer: Consumer<never, never> | Consumer,
  name: Name,
): Promise<ConsumerEvents[Name]> {
  return new Promise((resolve) => {
    const stop = consumer.on(name, (event) => {
      stop()
      resolve(event)
    })
  })
}

/** Waits for the condition, one turn of the event loop after another. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}
