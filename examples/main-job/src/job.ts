import { Admin, Consumer, Producer } from 'millrace'
import type { MainJobEvent } from './event.ts'
import { lines } from './lines.ts'
import type { MainJobOptions } from './options.ts'
import { readings } from './readings.ts'
import { Tally } from './tally.ts'

const PARTITIONS = 3
const MEMBERS = ['member-1', 'member-2']
/** Events that may wait for their acknowledgement at once. */
const UNACKNOWLEDGED_MAX = 1000

/** Streams events until `stop` aborts or `count` of them are read, then prints the summary and cleans up. */
export async function runJob(options: MainJobOptions & { bootstrap: string }, stop: AbortController): Promise<void> {
  const bootstrapServers = options.bootstrap
  const run = `main-job-${process.pid}-${Date.now()}`
  const topic = options.topic ?? run
  await using admin = new Admin({ bootstrapServers })
  const created = await ensureTopic(admin, topic)
  const tally = new Tally(options.count)
  const members = MEMBERS.map((name) => ({ name, consumer: new Consumer({ bootstrapServers, groupId: run, topics: [topic], autoOffsetReset: 'earliest' }) }))
  try {
    const reading = Promise.all(members.map(({ name, consumer }) => read(name, consumer, tally, stop)))
    const writing = write(options, topic, stop)
    await Promise.all([writing, reading]).finally(() => stop.abort())
  } finally {
    await Promise.all(members.map(({ consumer }) => consumer.close()))
    if (created && options.topic === undefined) await admin.deleteTopics([topic])
  }
  console.log(tally.summary(MEMBERS))
}
