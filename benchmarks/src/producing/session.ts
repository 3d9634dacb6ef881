import { startBroker, type BenchBroker, type BrokerProperties, type Keep } from '../brokers.ts'
import { OWN } from '../clients/registry.ts'
import { BATCH_BYTES, BROKER_WARMUP_SECONDS, CALLS_IN_FLIGHT, LINGER_MS, PARTITIONS, WARMUP_TIME_SHARE } from '../limits.ts'
import type { BrokerKind } from '../options.ts'
import { runClient, type Attempt } from '../run-client.ts'
import { connectTopics, type Topics } from '../topics.ts'
import type { Compression, ProduceMeasurement } from '../workload.ts'

/** A broker that is measured against, and the door to its topics. */
export interface Session {
  readonly broker: BenchBroker
  readonly topics: Topics
}

/** A broker that is warm, for the time of `body`, whatever becomes of it. */
export async function withBroker<Result>(
  kind: BrokerKind,
  keep: Keep,
  body: (session: Session) => Promise<Result>,
  config?: BrokerProperties,
): Promise<Result> {
  const broker = await startBroker(kind, keep, config)
  try {
    const topics = await connectTopics(broker.bootstrapServers)
    try {
      const session = { broker, topics }
      await warmUp(session, BROKER_WARMUP_SECONDS[kind])
      return await body(session)
    } finally {
      await topics.close()
    }
  } finally {
    await broker.stop()
  }
}

/** One attempt on a new topic, which is removed afterwards. A broker that does not serve fails the attempt, not all that were made before. */
export async function withTopic<Result>(
  { topics }: Session,
  topic: string,
  partitions: number,
  body: () => Promise<Attempt<Result>>,
): Promise<Attempt<Result>> {
  try {
    await topics.create(topic, partitions)
    const attempt = await body()
    await topics.remove(topic)
    return attempt
  } catch (error) {
    return String(error)
  }
}

export interface FullLoad {
  readonly client: string
  readonly messageBytes: number
  readonly compression: Compression
  readonly partitions: number
  readonly seconds: number
  readonly round: number
  /** Default `CALLS_IN_FLIGHT`. */
  readonly callsInFlight?: number
}

/** One client at full speed on a topic of its own. A run whose acknowledged messages are not all stored has failed. */
export function produceOnce(session: Session, load: FullLoad): Promise<Attempt<ProduceMeasurement>> {
  const { client, messageBytes, compression, partitions, seconds } = load
  const topic = `p-${messageBytes}-${compression}-${partitions}-${client}-${load.round}`
  return withTopic(session, topic, partitions, async () => {
    const measured = await runClient({
      kind: 'produce',
      callsInFlight: load.callsInFlight ?? CALLS_IN_FLIGHT,
      client,
      topic,
      partitions,
      messageBytes,
      compression,
      bootstrapServers: session.broker.bootstrapServers,
      brokerPid: session.broker.pid,
      lingerMs: LINGER_MS,
      batchBytes: BATCH_BYTES,
      warmupMs: seconds * WARMUP_TIME_SHARE * 1000,
      measureMs: seconds * 1000,
    })
    if (typeof measured === 'string') return measured
    const stored = await session.topics.stored(topic)
    return stored < measured.acknowledged ? `${stored} of ${measured.acknowledged} acknowledged messages are stored` : measured
  })
}

/** The first client must not be the one that meets a broker whose code no JIT has seen yet. */
async function warmUp(session: Session, seconds: number): Promise<void> {
  const load = { client: OWN, messageBytes: 1024, compression: 'none', partitions: PARTITIONS, seconds, round: -1 } as const
  const measured = await produceOnce(session, load)
  if (typeof measured === 'string') throw new Error(`the broker takes no messages: ${measured}`)
}
