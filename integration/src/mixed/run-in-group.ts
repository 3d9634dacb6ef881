import type { ConsumerRecordHeader } from '@millrace/consumer-group'
import { expect, test } from 'vitest'
import { Clients } from '../scenarios/clients.ts'
import type { SuiteBroker } from '../suite.ts'
import { anomalies, repeats, type Ledger } from './ledger.ts'
import { MixedGroup } from './mixed-group.ts'
import { CONSUMER_PROTOCOL, isNightly, KINDS, WAYS } from './ways.ts'

/** Of so many records one needs a second attempt, and another one never succeeds. */
const FAILING_EVERY = 7
const HOPELESS_EVERY = 31

/** Our member handles by `run`, with keys in order, attempts and dead letters, beside members that only read. */
export function runInGroup(broker: SuiteBroker): void {
  const ways = isNightly ? WAYS : [CONSUMER_PROTOCOL]
  test.each(ways.map((way) => [way.name, way] as const))('one of them runs handlers, in order by key: %s', async (_, way) => {
    const clients = new Clients(broker)
    const deadLetterTopic = await clients.topic(1)
    const group = new MixedGroup(broker, way, KINDS)
    group.handleByRun({ concurrency: 8, deadLetterTopic }, (sequence) => {
      if (sequence % HOPELESS_EVERY === 0) return `${sequence}!!`
      return sequence % FAILING_EVERY === 0 ? `${sequence}!` : String(sequence)
    })
    await group.start()
    for (const kind of KINDS) await group.restart(kind, 'stop')
    await group.restart('ours', 'kill')
    const committed = await group.finish()
    expect(committed).toEqual(group.ends())
    expect(anomalies(group.ledger)).toEqual([])

    const dead = await readAll(clients, deadLetterTopic)
    const places = new Map(group.produced.map(({ value, partition, offset }) => [value, `${partition}@${offset}`]))
    for (const { value, origin } of dead) expect(origin).toBe(places.get(value))
    // What ours gave up on is among the dead letters, unless it was killed on the way there and another member read it.
    const hopeless = handledByOurs(group.ledger).filter(({ value }) => value.endsWith('!!'))
    expect(hopeless.length).toBeGreaterThan(0)
    const settled = new Set([...dead.map(({ value }) => value), ...repeatedValues(group)])
    expect(hopeless.filter(({ value }) => !settled.has(value))).toEqual([])
    expect(dead.filter(({ value }) => !value.endsWith('!!'))).toEqual([])
    expect(handledByOurs(group.ledger).filter(({ value }) => /\d!$/.test(value)).length).toBeGreaterThan(0)
  })
}

function handledByOurs({ accounts }: Ledger): { value: string }[] {
  const events = accounts.filter(({ order }) => order === 'key').flatMap((account) => account.events)
  return events.flatMap((event) => (event.name === 'record_data' ? [event] : []))
}

function repeatedValues(group: MixedGroup): string[] {
  const values = new Map(group.produced.map(({ value, partition, offset }) => [`${partition}@${offset}`, value]))
  return repeats(group.ledger).map(({ place }) => values.get(place)!)
}

async function readAll(clients: Clients, topic: string): Promise<{ value: string; origin: string }[]> {
  const reader = clients.reader()
  const [end] = await reader.endOffsets([{ topic, partition: 0 }])
  expect(end!.offset).toBeGreaterThan(0)
  reader.assign([{ topic, partition: 0, offset: 0 }])
  const found: { value: string; origin: string }[] = []
  for await (const { value, headers, offset } of reader) {
    found.push({ value: String(value), origin: originOf(headers) })
    if (offset === end!.offset - 1) reader.stop()
  }
  return found
}

function originOf(headers: readonly ConsumerRecordHeader[]): string {
  const bytes = (name: string): Buffer => headers.find(([one]) => one === `kafka_dlt-original-${name}`)![1]!
  return `${bytes('partition').readInt32BE()}@${bytes('offset').readBigInt64BE()}`
}
