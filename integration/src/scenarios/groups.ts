import type { Consumer } from '@millrace/consumer-group'
import { describe, expect, test } from 'vitest'
import { uniqueName, type SuiteBroker } from '../suite.ts'
import { ascending, Clients, read, seen, until, type Seen } from './clients.ts'

/** Reads in the background until `stop`. */
function collect(consumer: Consumer): { records: Seen[]; done: Promise<void> } {
  const records: Seen[] = []
  const loop = async (): Promise<void> => {
    for await (const record of consumer) records.push(seen(record))
  }
  return { records, done: loop() }
}

export function groups(broker: SuiteBroker): void {
  describe('consumer groups', () => {
    test.each([['range'], ['cooperative-sticky']] as const)(
      'two members share the partitions, and the one left takes over (%s)',
      async (assignor) => {
        const clients = new Clients(broker)
        const topic = await clients.topic(4)
        const group = uniqueName('shared')
        const options = { partitionAssignors: [assignor], heartbeatIntervalMs: 300 } as const
        const members = [clients.consumer(topic, group, options), clients.consumer(topic, group, options)]
        const [one, two] = members.map(collect)
        await until(() => members.every((member) => member.assignment.length === 2), 'two partitions for each of two members')
        const owned = members.flatMap((member) => member.assignment.map(({ partition }) => partition))
        expect(owned.toSorted(ascending)).toEqual([0, 1, 2, 3])

        const producer = clients.producer()
        const send = (prefix: string): Promise<unknown> =>
          Promise.all([0, 1, 2, 3].map((partition) => producer.send({ topic, partition, value: `${prefix}-${partition}` })))
        await send('both')
        await until(() => one!.records.length + two!.records.length === 4, 'the first four records')
        expect(one!.records).toHaveLength(2)
        expect(two!.records).toHaveLength(2)

        await members[0]!.close()
        await one!.done
        await until(() => members[1]!.assignment.length === 4, 'all partitions for the member that is left')
        await send('alone')
        await until(() => two!.records.length >= 6, 'the records that came after one member left')
        const all = [...one!.records, ...two!.records].map((record) => record.value)
        expect(all).toHaveLength(8)
        expect(new Set(all)).toEqual(new Set([0, 1, 2, 3].flatMap((partition) => [`both-${partition}`, `alone-${partition}`])))
      },
    )

    test('a consumer that comes back goes on after what was handled', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(2)
      const group = uniqueName('returning')
      const producer = clients.producer()
      await producer.sendAll(
        topic,
        Array.from({ length: 100 }, (_, index) => ({ value: `${index}`, partition: index % 2 })),
      )
      const first = clients.consumer(topic, group)
      const early = await read(first, 60)
      await first.close()
      const late = await read(clients.consumer(topic, group), 40)
      const values = [...early, ...late].map((record) => Number(record.value)).toSorted(ascending)
      expect(values).toEqual(Array.from({ length: 100 }, (_, index) => index))
    })

    test.each([
      ['classic', null, 'default', false],
      ['classic', null, 'remain', true],
      ['classic', 'fixed', 'default', true],
      ['classic', 'fixed', 'leave', false],
      ['consumer', null, 'default', false],
      ['consumer', null, 'remain', true],
      ['consumer', 'fixed', 'default', true],
      ['consumer', 'fixed', 'leave', false],
    ] as const)('a %s member with instance id %o that closes by %o is still in the group: %o', async (...row) => {
      const [groupProtocol, groupInstanceId, groupMembershipOperation, stays] = row
      const clients = new Clients(broker)
      const topic = await clients.topic(1)
      const group = uniqueName('closing')
      const consumer = clients.consumer(topic, group, { groupProtocol, ...(groupInstanceId === null ? {} : { groupInstanceId }) })
      const running = collect(consumer)
      await until(() => consumer.assignment.length === 1, 'the partition')
      await consumer.close({ groupMembershipOperation })
      await running.done
      const { members } = (await clients.admin.describeGroups([group])).get(group)
      expect(members.map((member) => member.groupInstanceId)).toEqual(stays ? [groupInstanceId] : [])
    })

    test('what the loop broke off at comes again', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1)
      const group = uniqueName('broken')
      await clients.producer().sendAll(
        topic,
        ['a', 'b', 'c'].map((value) => ({ value })),
      )
      const first = clients.consumer(topic, group)
      for await (const record of first) if (record.value!.toString() === 'b') break
      await first.close()
      expect(await clients.committed(group, topic)).toEqual(new Map([[0, 1]]))
      const again = await read(clients.consumer(topic, group), 2)
      expect(again.map((record) => record.value)).toEqual(['b', 'c'])
    })

    test('exact offsets can be committed by hand', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1)
      const group = uniqueName('manual')
      await clients.producer().sendAll(
        topic,
        ['a', 'b', 'c', 'd'].map((value) => ({ value })),
      )
      const consumer = clients.consumer(topic, group, { enableAutoCommit: false })
      for await (const record of consumer) {
        if (record.offset !== 2) continue
        await consumer.commit([{ topic, partition: 0, offset: 2 }])
        consumer.stop()
      }
      await consumer.close()
      expect(await clients.committed(group, topic)).toEqual(new Map([[0, 2]]))
    })

    test('the admin client sees members, and offsets can be altered and deleted once they are gone', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(1)
      const group = uniqueName('administered')
      await clients.producer().sendAll(
        topic,
        Array.from({ length: 10 }, (_, index) => ({ value: `${index}` })),
      )
      const consumer = clients.consumer(topic, group, { clientId: 'watched' })
      const running = collect(consumer)
      await until(() => running.records.length === 10, 'ten records')
      await consumer.commit()
      const described = (await clients.admin.describeGroups([group])).get(group)
      expect(described).toMatchObject({
        groupId: group,
        type: 'classic',
        state: 'Stable',
        protocolType: 'consumer',
        partitionAssignor: 'range',
      })
      expect(described.members).toHaveLength(1)
      expect(described.members[0]).toMatchObject({ clientId: 'watched', assignment: [{ topic, partition: 0 }] })
      await expect(clients.admin.deleteGroups([group])).rejects.toMatchObject({ code: 'NON_EMPTY_GROUP' })
      await consumer.close()
      await running.done

      const listed = (await clients.admin.listGroups()).groups.find((one) => one.groupId === group)
      expect(listed).toMatchObject({ protocolType: 'consumer', state: 'Empty', type: 'classic' })
      await clients.admin.alterGroupOffsets(group, [{ topic, partition: 0, offset: 4, metadata: 'by hand' }])
      expect((await clients.admin.fetchGroupOffsets(group)).get(`${topic}-0`)).toMatchObject({ offset: 4, metadata: 'by hand' })
      const again = await read(clients.consumer(topic, group), 6)
      expect(again.map((record) => record.offset)).toEqual([4, 5, 6, 7, 8, 9])
    })

    test('offsets and groups can be deleted, and an unknown group is named', async () => {
      const clients = new Clients(broker)
      const topic = await clients.topic(2)
      const group = uniqueName('doomed')
      await clients.admin.alterGroupOffsets(
        group,
        [0, 1].map((partition) => ({ topic, partition, offset: 0 })),
      )
      await clients.admin.deleteGroupOffsets(group, [{ topic, partition: 1 }])
      expect(await clients.committed(group, topic)).toEqual(new Map([[0, 0]]))
      await clients.admin.deleteGroups([group])
      expect((await clients.admin.listGroups()).groups.map((one) => one.groupId)).not.toContain(group)
      const gone = await clients.admin.deleteGroups([group], { throwOnFailure: false })
      expect(gone.error(group)?.code).toBe('GROUP_ID_NOT_FOUND')
    })
  })
}
