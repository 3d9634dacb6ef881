import { afterAll, beforeAll, expect, test } from 'vitest'
import { range, take, TestBench, until } from './bench.ts'

let bench: TestBench

beforeAll(async () => {
  bench = await TestBench.start()
})

afterAll(() => bench[Symbol.asyncDispose]())

/** Deletes the topic and makes another one of the same name, with so many records in its only partition. */
async function recreate(topic: string, records: number): Promise<void> {
  ;(await bench.admin.deleteTopics([topic])).orThrow()
  ;(await bench.admin.createTopics([{ name: topic, numPartitions: 1 }])).orThrow()
  await bench.fill(topic, 0, 0, records)
}

test.each(['classic', 'consumer'] as const)(
  'a member by the protocol %s reads all of a topic that was deleted and made anew, and commits that',
  async (groupProtocol) => {
    const topic = await bench.topic(1, 5)
    const groupId = `anew-${groupProtocol}`
    await using consumer = bench.consumer({ groupId, groupProtocol, topics: [topic], metadataMaxAgeMs: 100 })
    expect(await take(consumer, 5)).toEqual(range(0, 5))
    await consumer.commit()
    await recreate(topic, 9)
    expect(await take(consumer, 9)).toEqual(range(0, 9))
    await consumer.commit()
    expect(await bench.committed(groupId, topic)).toEqual([9])
  },
)

test('what was handled in a topic that is gone is not committed in the one that has its name', async () => {
  const topic = await bench.topic(1, 5)
  const options = { groupId: 'gone', clientId: 'gone', enableAutoCommit: false, metadataMaxAgeMs: 20 }
  await using consumer = bench.consumer(options)
  consumer.assign([{ topic, partition: 0 }])
  await take(consumer, 5)
  // It does not fetch, and has no other way to find out.
  consumer.pause(consumer.assignment)
  await recreate(topic, 9)
  const asked = (): number => bench.broker.requests.list({ api: 'Metadata', clientId: 'gone', outcome: 'answered' }).length
  const before = asked()
  await until(() => asked() > before + 2)
  await consumer.commit().catch((error: unknown) => expect(error).toMatchObject({ code: 'UNKNOWN_TOPIC_ID' }))
  await expect(consumer.commit([{ topic, partition: 0, offset: 5 }])).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_ID' })
  expect(await bench.committed('gone', topic)).toEqual([])
  consumer.resume(consumer.assignment)
  expect(await take(consumer, 9)).toEqual(range(0, 9))
})
