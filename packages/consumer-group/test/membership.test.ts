import { Admin } from '@millrace/admin'
import { Broker } from '@millrace/broker'
import { Producer } from '@millrace/producer'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Consumer, type ConsumerEvents, type ConsumerOptions, type PartitionAssignor } from '../src/index.ts'
import { allOf, fillTopic, Member, PARTITIONS, PROTOCOLS, textOf, until, type Protocol } from './member.ts'

/** Members of groups on the embedded broker, under both protocols. */

const RECORDS = 200

let broker: Broker
let admin: Admin
let producer: Producer
let names = 0

beforeAll(async () => {
  const config = {
    'group.min.session.timeout.ms': 100,
    'group.consumer.heartbeat.interval.ms': 50,
    'group.consumer.session.timeout.ms': 1_000,
  }
  broker = await Broker.start({ port: 0, config })
  const { bootstrapServers } = broker
  admin = new Admin({ bootstrapServers })
  producer = new Producer({ bootstrapServers, lingerMs: 0 })
})

afterAll(async () => {
  await producer.close()
  await admin.close()
  await broker.close()
})

async function newTopic(prefix = 't'): Promise<string> {
  const name = `${prefix}-${names++}`
  await admin.createTopics([{ name, numPartitions: PARTITIONS }])
  await fill(name)
  return name
}

function fill(topic: string): Promise<void> {
  return fillTopic(producer, topic, RECORDS)
}

function member(
  protocol: Protocol,
  groupId: string,
  topics: readonly string[] | RegExp,
  options: Partial<ConsumerOptions> = {},
): Member {
  return new Member(broker.bootstrapServers, protocol, groupId, topics, options)
}

describe.each(PROTOCOLS)('members of a group (%s)', (protocol) => {
  test('share the partitions when one comes and when one leaves, and read everything once', async () => {
    const topic = await newTopic()
    await using first = member(protocol, topic, [topic])
    await until(() => first.seen.length === RECORDS)
    const second = member(protocol, topic, [topic])
    await until(() => first.partitions.length === 2 && second.partitions.length === 2)
    expect([...first.partitions, ...second.partitions].sort()).toEqual(allOf(topic))
    await fill(topic)
    await until(() => first.seen.length + second.seen.length === 2 * RECORDS)
    expect(new Set([...first.seen, ...second.seen]).size).toBe(2 * RECORDS)
    await second.close()
    await until(() => first.partitions.length === PARTITIONS)
    await fill(topic)
    await until(() => first.seen.length + second.seen.length === 3 * RECORDS)
  })

  test('that subscribe to a pattern get topics that come later', async () => {
    const prefix = `later-${protocol}`
    const early = await newTopic(prefix)
    await newTopic('other')
    await using one = member(protocol, prefix, new RegExp(`^${prefix}-`), { metadataMaxAgeMs: 100 })
    await until(() => one.seen.length === RECORDS)
    expect([one.partitions, one.consumer.subscription]).toEqual([allOf(early), [early]])
    const late = await newTopic(prefix)
    await until(() => one.seen.length === 2 * RECORDS)
    expect(one.partitions).toEqual([...allOf(early), ...allOf(late)].sort())
  })

  test('may subscribe to something else while they run', async () => {
    const [before, after] = [await newTopic(), await newTopic()]
    await using one = member(protocol, before, [before])
    await until(() => one.seen.length === RECORDS)
    one.consumer.subscribe([after])
    await until(() => one.seen.length === 2 * RECORDS)
    expect(one.partitions).toEqual(allOf(after))
  })

  test('wait for a topic that is not there yet', async () => {
    const topic = `late-${protocol}`
    await using one = member(protocol, topic, [topic])
    await until(() => one.consumer.subscription.length === 1)
    await admin.createTopics([{ name: topic, numPartitions: PARTITIONS }])
    await fill(topic)
    await until(() => one.seen.length === RECORDS)
    expect(one.partitions).toEqual(allOf(topic))
  })

  test('with an instance id come back without a rebalance', async () => {
    const topic = await newTopic()
    await using other = member(protocol, topic, [topic], { groupInstanceId: 'other' })
    const first = member(protocol, topic, [topic], { groupInstanceId: 'one' })
    await until(() => first.partitions.length === 2 && other.partitions.length === 2)
    const before = first.partitions
    let rebalances = 0
    other.consumer.on('assigned', () => rebalances++)
    await first.close()
    await using again = member(protocol, topic, [topic], { groupInstanceId: 'one' })
    await until(() => again.partitions.length === 2)
    expect([again.partitions, rebalances]).toEqual([before, 0])
  })

  test('that ask for nothing in maxPollIntervalMs are zombies, and members again when they ask', async () => {
    const topic = await newTopic()
    const stuck = Promise.withResolvers<void>()
    const consumer = new Consumer({
      bootstrapServers: broker.bootstrapServers,
      groupProtocol: protocol,
      groupId: topic,
      topics: [topic],
      autoOffsetReset: 'earliest',
      maxPollIntervalMs: 200,
      retryBackoffMs: 10,
    })
    const zombies: Array<ConsumerEvents['zombie']> = []
    const lost: string[] = []
    consumer.on('zombie', (event) => zombies.push(event))
    consumer.on('lost', ({ partitions }) => lost.push(...textOf(partitions)))
    let count = 0
    const loop = (async () => {
      for await (const _ of consumer) {
        if (count++ === 0) await stuck.promise
        if (count > RECORDS) consumer.stop()
      }
    })()
    await until(() => lost.length > 0)
    expect(zombies).toMatchObject([{ cause: 'poll' }])
    expect(lost.sort()).toEqual(allOf(topic))
    await using heir = member(protocol, topic, [topic])
    await until(() => heir.seen.length === RECORDS)
    await heir.close()
    await fill(topic)
    stuck.resolve()
    await loop
    expect(count).toBe(RECORDS + 1)
    await consumer.close()
  })
})

describe.each(PROTOCOLS)('a member that closes (%s)', (protocol) => {
  test.each([
    [null, undefined, false],
    [null, 'leave', false],
    [null, 'remain', true],
    ['fixed', undefined, true],
    ['fixed', 'default', true],
    ['fixed', 'leave', false],
    ['fixed', 'remain', true],
  ] as const)(
    'with instance id %o and %o is still in the group: %o',
    async (groupInstanceId, groupMembershipOperation, stays) => {
      const topic = await newTopic()
      await using one = member(protocol, topic, [topic], groupInstanceId === null ? {} : { groupInstanceId })
      await until(() => one.seen.length === RECORDS)
      await one.consumer.close(groupMembershipOperation === undefined ? {} : { groupMembershipOperation })
      const { members } = (await admin.describeGroups([topic])).get(topic)
      expect(members.map((left) => left.groupInstanceId)).toEqual(stays ? [groupInstanceId] : [])
      // Whatever it said, what it had handled is committed, and nobody reads it again once the session is over.
      await using heir = member(protocol, topic, [topic])
      await until(() => heir.partitions.length === PARTITIONS)
      await fill(topic)
      await until(() => heir.seen.length >= RECORDS)
      expect(heir.seen.filter((text) => one.seen.includes(text))).toEqual([])
    },
  )

  test('takes no other word for it, and goes on then', async () => {
    const topic = await newTopic()
    await using one = member(protocol, topic, [topic])
    const closing = one.consumer.close({ groupMembershipOperation: 'stay' as 'remain' })
    await expect(closing).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(/groupMembershipOperation: "stay".*'default' or 'leave' or 'remain'/) as string,
    })
    await until(() => one.seen.length === RECORDS)
  })
})

describe.each(PROTOCOLS)('a rebalance listener (%s)', (protocol) => {
  test('is awaited before anything is fetched, while heartbeats go on for longer than the session', async () => {
    const topic = await newTopic()
    const ready = Promise.withResolvers<void>()
    const told: string[] = []
    await using one = member(protocol, topic, [topic], {
      rebalanceListener: {
        assigned: async (partitions) => {
          told.push(...textOf(partitions))
          await ready.promise
        },
      },
    })
    await until(() => told.length === PARTITIONS)
    // Longer than the session: a member without heartbeats would be out.
    await new Promise((resolve) => setTimeout(resolve, 1_300))
    expect([one.seen, one.event('lost'), one.event('zombie')]).toEqual([[], undefined, undefined])
    ready.resolve()
    await until(() => one.seen.length === RECORDS)
    expect(one.event('lost')).toBeUndefined()
  })

  test('may seek what is assigned, before anything of it is fetched', async () => {
    const topic = await newTopic()
    const one: Member = member(protocol, topic, [topic], {
      rebalanceListener: {
        assigned: (partitions) => {
          for (const assigned of partitions) one.consumer.seek(assigned, 40)
        },
      },
    })
    await until(() => one.seen.length === PARTITIONS * (RECORDS / PARTITIONS - 40))
    expect(one.seen.every((text) => Number(text.split('@')[1]) >= 40)).toBe(true)
    await one.close()
  })

  test('may commit what is revoked, and nobody gets it before it is done', async () => {
    const topic = await newTopic()
    const revoked: string[] = []
    const order: string[] = []
    const first: Member = member(protocol, topic, [topic], {
      enableAutoCommit: false,
      rebalanceListener: {
        revoked: async (partitions) => {
          if (revoked.length > 0) return
          revoked.push(...textOf(partitions))
          await first.consumer.commit(partitions.map((one) => ({ ...one, offset: 7 })))
          // Several heartbeats of the other member.
          await new Promise((resolve) => setTimeout(resolve, 200))
          order.push('given up')
        },
      },
    })
    await until(() => first.seen.length === RECORDS)
    const second = member(protocol, topic, [topic], { enableAutoCommit: false })
    second.consumer.on('assigned', ({ partitions }) => {
      if (textOf(partitions).some((one) => revoked.includes(one))) order.push('taken over')
    })
    await until(() => second.partitions.length === 2 && second.seen.length > 0)
    expect(order).toEqual(['given up', 'taken over'])
    expect(Math.min(...second.seen.map((one) => Number(one.split('@')[1])))).toBe(7)
    await Promise.all([first.close(), second.close()])
  })

  test('that throws is told of, and stops nothing', async () => {
    const topic = await newTopic()
    await using one = member(protocol, topic, [topic], {
      rebalanceListener: {
        assigned: () => {
          throw new RangeError('no room')
        },
      },
    })
    await until(() => one.seen.length === RECORDS)
    const { error } = one.event('rebalanceListenerFailed')!
    expect(error).toMatchObject({ code: 'REBALANCE_LISTENER_FAILED', call: 'assigned' })
    expect(error.message).toMatch(/rebalanceListener\.assigned.*RangeError: no room/)
  })

  test('that never ends is left behind after maxPollIntervalMs', async () => {
    const topic = await newTopic()
    await using one = member(protocol, topic, [topic], {
      maxPollIntervalMs: 300,
      rebalanceListener: { assigned: () => new Promise(() => {}) },
    })
    await until(() => one.seen.length === RECORDS)
    expect(one.event('rebalanceListenerFailed')!.error.message).toContain('did not end within 300 ms')
  })

  test('is told that everything is revoked when the consumer closes', async () => {
    const topic = await newTopic()
    const revoked: string[] = []
    const one = member(protocol, topic, [topic], {
      rebalanceListener: { revoked: (partitions) => void revoked.push(...textOf(partitions)) },
    })
    await until(() => one.seen.length === RECORDS)
    await one.close()
    expect(revoked.sort()).toEqual(allOf(topic))
  })
})

describe('assignors', () => {
  test.each(['range', 'roundrobin', 'sticky', 'cooperative-sticky'] as const)('%s shares out', async (name) => {
    const topic = await newTopic()
    const options = { partitionAssignors: [name] }
    await using first = member('classic', topic, [topic], options)
    await until(() => first.seen.length === RECORDS)
    await using second = member('classic', topic, [topic], options)
    await until(() => first.partitions.length === 2 && second.partitions.length === 2)
    expect([...first.partitions, ...second.partitions].sort()).toEqual(allOf(topic))
  })

  test('of your own see the cluster and every member, with its user data', async () => {
    const topic = await newTopic()
    const asked: unknown[] = []
    const assignor: PartitionAssignor = {
      name: 'all-to-one',
      protocols: ['eager'],
      subscriptionUserData: (topics) => Buffer.from(topics.join()),
      assign(topics, members) {
        asked.push(topics.get(topic)?.partitionCount, String(members[0]!.userData))
        const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition }))
        return new Map([[members[0]!.memberId, partitions]])
      },
    }
    await using one = member('classic', topic, [topic], { partitionAssignors: [assignor] })
    await until(() => one.seen.length === RECORDS)
    expect(asked).toEqual([PARTITIONS, topic])
  })

  test('that are broken stop the consumer that leads with them, by a typed error; the others go on', async () => {
    const topic = await newTopic()
    const broken: PartitionAssignor = {
      name: 'range',
      protocols: ['eager'],
      assign: (_topics, members) =>
        new Map(
          members.map(({ memberId }) => [
            memberId,
            [
              { topic, partition: 0 },
              { topic, partition: 99 },
            ],
          ]),
        ),
    }
    const leader = member('classic', topic, [topic], { partitionAssignors: [broken] })
    await using follower = member('classic', topic, [topic], { partitionAssignors: ['range'] })
    await until(() => leader.error !== null)
    expect(leader.error).toMatchObject({ code: 'ASSIGNOR_FAILED', assignor: 'range' })
    expect(String(leader.error)).toContain(`${topic}-99`)
    await until(() => follower.seen.length === RECORDS)
    await leader.close()
  })
})
