import { Admin, Consumer, Producer } from 'millrace'
import type { MainJobEvent } from './event.ts'
import { lines } from './lines.ts'
import type { MainJobOptions } from './options.ts'
import { readings } from './readings.ts'
import { Tally } from './tally.ts'

const PARTITIONS = 3
/** Events that may wait for their acknowledgement at once. */
const UNACKNOWLEDGED_MAX = 1000

interface Member {
  readonly name: string
  readonly consumer: Consumer
  /** Settles once the member owns a partition. */
  readonly ready: Promise<void>
}

/** Streams events until `stop` aborts or `count` of them are read, then prints the summary and takes its topic away. */
export async function runJob(options: MainJobOptions & { bootstrap: string }, stop: AbortController): Promise<void> {
  const bootstrapServers = options.bootstrap
  const run = `main-job-${process.pid}-${Date.now()}`
  const topic = options.topic ?? run
  const tally = new Tally(options.count)
  await using admin = new Admin({ bootstrapServers })
  await ensureTopic(admin, topic)
  const members = ['member-1', 'member-2'].map((name) => join(name, bootstrapServers, run, topic))
  stop.signal.addEventListener('abort', () => {
    for (const { consumer } of members) consumer.stop()
  })
  try {
    const reading = members.map((member) => read(member, tally, stop))
    const writing = Promise.race([Promise.all(members.map(({ ready }) => ready)), aborted(stop.signal)]).then(() =>
      write(options, topic, stop.signal),
    )
    await Promise.all([...reading, writing].map((part) => part.finally(() => stop.abort())))
  } finally {
    await Promise.all(members.map(({ consumer }) => consumer.close()))
    if (options.topic === undefined) await admin.deleteTopics([topic])
  }
  console.log(tally.summary(members.map(({ name }) => name)))
}

async function ensureTopic(admin: Admin, topic: string): Promise<void> {
  const created = await admin.createTopics([{ name: topic, numPartitions: PARTITIONS }])
  if (created.error(topic)?.code !== 'TOPIC_ALREADY_EXISTS') created.orThrow()
}

function join(name: string, bootstrapServers: string, groupId: string, topic: string): Member {
  // Heartbeats are how the first member learns that the second one came: often, so that nobody waits long for the first event.
  const consumer = new Consumer({
    bootstrapServers,
    clientId: name,
    groupId,
    topics: [topic],
    autoOffsetReset: 'earliest',
    heartbeatIntervalMs: 300,
  })
  const ready = new Promise<void>((resolve) => consumer.on('assigned', ({ partitions }) => partitions.length > 0 && resolve()))
  return { name, consumer, ready }
}

async function read({ name, consumer }: Member, tally: Tally, stop: AbortController): Promise<void> {
  for await (const { partition, offset, key, value } of consumer) {
    if (!tally.take(name, Date.now())) break
    console.log(`${name}  partition ${partition}  offset ${String(offset).padStart(4)}  ${String(key)}  ${String(value)}`)
    if (tally.full) stop.abort()
  }
}

async function write(options: MainJobOptions & { bootstrap: string }, topic: string, signal: AbortSignal): Promise<void> {
  const sources = [readings(signal), ...(options.file === undefined ? [] : [lines(options.file)])]
  await using producer = new Producer({ bootstrapServers: options.bootstrap, clientId: 'main-job' })
  await Promise.all(sources.map((source) => publish(source, producer, topic, signal)))
}

/** Sends without waiting for each answer, but never has more than a window of them open. */
async function publish(
  events: AsyncIterable<MainJobEvent>,
  producer: Producer,
  topic: string,
  signal: AbortSignal,
): Promise<void> {
  const unacknowledged: Promise<unknown>[] = []
  for await (const event of events) {
    if (signal.aborted) break
    const sent = producer.send({ topic, ...event })
    // Awaited below, in order; until then a failure must not count as unhandled.
    sent.catch(() => undefined)
    unacknowledged.push(sent)
    if (unacknowledged.length === UNACKNOWLEDGED_MAX) await unacknowledged.shift()
  }
  await Promise.all(unacknowledged)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve())))
}
