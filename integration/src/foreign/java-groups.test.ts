import { expect, test } from 'vitest'
import { describeOn, uniqueName } from '../suite.ts'
import { brokerUnderTest } from './broker-under-test.ts'
import { kafkaTool, missing, tryKafkaTool } from './tools.ts'

await describeOn("Kafka's consumer group tools", brokerUnderTest, [missing.java], (broker) => {
  const groups = (...args: string[]): Promise<string> =>
    kafkaTool('kafka-consumer-groups', ['--bootstrap-server', broker.bootstrapServers, ...args])

  /** A topic of two partitions with 20 records, of which the group has read everything. */
  async function consumedTopic(protocol: 'classic' | 'consumer' = 'classic'): Promise<{ topic: string; group: string }> {
    const topic = uniqueName('grouped')
    const group = uniqueName('readers')
    await kafkaTool('kafka-topics', [
      '--bootstrap-server',
      broker.bootstrapServers,
      '--create',
      '--topic',
      topic,
      '--partitions',
      '2',
    ])
    // Java's murmur2 puts these keys on partitions by turns; what matters below is that nothing is lost.
    const lines = Array.from({ length: 20 }, (_, index) => `key-${index}\tvalue-${index}`)
    await kafkaTool(
      'kafka-console-producer',
      ['--bootstrap-server', broker.bootstrapServers, '--topic', topic, '--reader-property', 'parse.key=true'],
      { input: `${lines.join('\n')}\n` },
    )
    const printed = await kafkaTool('kafka-console-consumer', [
      '--bootstrap-server',
      broker.bootstrapServers,
      '--topic',
      topic,
      '--group',
      group,
      '--from-beginning',
      '--max-messages',
      '20',
      '--timeout-ms',
      '30000',
      '--command-property',
      `group.protocol=${protocol}`,
    ])
    expect(printed.trimEnd().split('\n').toSorted()).toEqual(lines.map((line) => line.split('\t')[1]!).toSorted())
    return { topic, group }
  }

  test.each(['classic', 'consumer'] as const)('list, describe, reset, delete offsets and delete a %s group', async (protocol) => {
    const { topic, group } = await consumedTopic(protocol)
    expect((await groups('--list')).split('\n')).toContain(group)
    expect(await groups('--describe', '--group', group, '--state')).toMatch(
      new RegExp(`${group}\\s+\\S+\\s+\\(1\\)\\s+.*Empty\\s+0`),
    )
    let rows = offsetRows(await groups('--describe', '--group', group), group)
    expect(rows.map((row) => row.topic)).toEqual([topic, topic])
    expect(new Set(rows.map((row) => row.partition))).toEqual(new Set([0, 1]))
    expect(rows.every((row) => row.current === row.end && row.lag === 0)).toBe(true)
    expect(rows.reduce((sum, row) => sum + row.current, 0)).toBe(20)

    await groups('--reset-offsets', '--group', group, '--topic', topic, '--to-offset', '3', '--execute')
    rows = offsetRows(await groups('--describe', '--group', group), group)
    expect(rows.map((row) => row.current)).toEqual([3, 3])
    expect(rows.reduce((sum, row) => sum + row.lag, 0)).toBe(14)

    const deleted = await groups('--delete-offsets', '--group', group, '--topic', `${topic}:0`)
    expect(deleted).toContain('Successful')
    rows = offsetRows(await groups('--describe', '--group', group), group)
    expect(rows.map((row) => row.partition)).toEqual([1])

    expect(await groups('--delete', '--group', group)).toContain('was successful')
    expect((await groups('--list')).split('\n')).not.toContain(group)
    const gone = await tryKafkaTool('kafka-consumer-groups', [
      '--bootstrap-server',
      broker.bootstrapServers,
      '--describe',
      '--group',
      group,
    ])
    expect(gone.stdout + gone.stderr).toMatch(/does not exist|not found|GroupIdNotFoundException/)
  })

  test.each(['classic', 'consumer'] as const)('kafka-groups names the type and protocol of a %s group', async (protocol) => {
    const { group } = await consumedTopic(protocol)
    const listed = await kafkaTool('kafka-groups', ['--bootstrap-server', broker.bootstrapServers, '--list'])
    expect(listed).toMatch(new RegExp(`${group}\\s+${protocol}\\s+consumer`, 'i'))
  })
})

interface OffsetRow {
  readonly topic: string
  readonly partition: number
  readonly current: number
  readonly end: number
  readonly lag: number
}

/** GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG …; newer tools put a leader epoch between. */
function offsetRows(printed: string, group: string): OffsetRow[] {
  const lines = printed.split('\n').map((line) => line.trim().split(/\s+/))
  const head = lines.find((cells) => cells.includes('CURRENT-OFFSET'))
  if (head === undefined) throw new Error(`no table of offsets in:\n${printed}`)
  const cell = (row: readonly string[], name: string): string => row[head.indexOf(name)]!
  return lines
    .filter((cells) => cells[0] === group)
    .map((row) => ({
      topic: cell(row, 'TOPIC'),
      partition: Number(cell(row, 'PARTITION')),
      current: Number(cell(row, 'CURRENT-OFFSET')),
      end: Number(cell(row, 'LOG-END-OFFSET')),
      lag: Number(cell(row, 'LAG')),
    }))
}
