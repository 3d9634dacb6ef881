// A member of ours as a process: prints what it sees as Kafka's VerifiableConsumer does, and leaves in order on SIGTERM.
import { Consumer, type ConsumerRecord, type TopicPartition } from '@millrace/consumer-group'
import { Producer } from '@millrace/producer'
import type { MemberEvent, OurMemberSettings, RunSettings } from './member-events.ts'

const ATTEMPTS = 3

const settings = JSON.parse(process.argv[2]!) as OurMemberSettings
const { bootstrapServers, topic, groupId, options, run } = settings

// Pipes are written synchronously on POSIX: what was printed outlives SIGKILL.
function print(event: Unstamped): void {
  process.stdout.write(`${JSON.stringify({ timestamp: Date.now(), ...event })}\n`)
}
type Unstamped = MemberEvent extends infer Event ? (Event extends MemberEvent ? Omit<Event, 'timestamp'> : never) : never

function printRecord({ topic, partition, offset, key, value }: ConsumerRecord): void {
  print({ name: 'record_data', topic, partition, offset, key: key?.toString() ?? null, value: String(value) })
}

function gaveUp(partitions: readonly TopicPartition[]): void {
  print({ name: 'partitions_revoked', partitions })
}

const consumer = new Consumer({
  bootstrapServers,
  groupId,
  topics: [topic],
  autoOffsetReset: 'earliest',
  ...options,
  rebalanceListener: {
    assigned: (partitions) => print({ name: 'partitions_assigned', partitions }),
    revoked: gaveUp,
    lost: gaveUp,
  },
})
process.once('SIGTERM', () => consumer.stop())
print({ name: 'startup_complete' })
if (run === null) for await (const record of consumer) printRecord(record)
else await handle(run)
await consumer.close()
print({ name: 'shutdown_complete' })

async function handle({ concurrency, deadLetterTopic }: RunSettings): Promise<void> {
  await using producer = new Producer({ bootstrapServers })
  await consumer.run({
    concurrency,
    orderedBy: 'key',
    producer,
    deadLetterTopic,
    retry: { retries: ATTEMPTS - 1, backoffMs: 5 },
    eachRecord: async (record, { attempt }) => {
      // Others take their turn meanwhile, so that handlers do run side by side.
      await new Promise((resolve) => setImmediate(resolve))
      const value = String(record.value)
      const isHopeless = value.endsWith('!!')
      if (attempt === 1 && value.endsWith('!')) throw new Error(`${value} cannot be handled yet`)
      if (!isHopeless || attempt === ATTEMPTS) printRecord(record)
      if (isHopeless) throw new Error(`${value} cannot be handled`)
    },
  })
}
