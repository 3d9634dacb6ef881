import { run, runOk, type RunOptions } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { describeOn, uniqueName } from '../suite.ts'
import { brokerUnderTest } from './broker-under-test.ts'
import { missing } from './tools.ts'

await describeOn('kcat', brokerUnderTest, [missing.kcat], (broker) => {
  const kcat = async (args: readonly string[], options: RunOptions = {}): Promise<string> =>
    (await runOk('kcat', ['-b', broker.bootstrapServers, '-X', 'broker.address.family=v4', ...args], options)).stdout

  /** Reads a partition to its end, one JSON envelope per record. */
  const readAll = async (topic: string): Promise<Envelope[]> =>
    (await kcat(['-C', '-t', topic, '-p', '0', '-o', 'beginning', '-e', '-q', '-J']))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Envelope)

  test('-L lists the broker, and a topic that producing created', async () => {
    const topic = uniqueName('listed')
    await kcat(['-P', '-t', topic, '-K', '\t'], { input: 'k\tv\n' })
    const listed = JSON.parse(await kcat(['-L', '-J'])) as {
      brokers: { id: number; name: string }[]
      topics: { topic: string; partitions: { partition: number; leader: number; isrs: { id: number }[] }[] }[]
    }
    expect(listed.brokers).toEqual([{ id: 1, name: broker.bootstrapServers }])
    expect(listed.topics.find((one) => one.topic === topic)?.partitions).toEqual([
      { partition: 0, leader: 1, replicas: [{ id: 1 }], isrs: [{ id: 1 }] },
    ])
  })

  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('-P and -C carry 1,000 records with %s', async (codec) => {
    const topic = uniqueName(`codec-${codec}`)
    const lines = Array.from({ length: 1_000 }, (_, index) => `key ${index % 7}\tvalue ${index} ${'x'.repeat(index % 200)}`)
    await kcat(['-P', '-t', topic, '-p', '0', '-z', codec, '-K', '\t', '-X', 'linger.ms=50'], { input: `${lines.join('\n')}\n` })
    const records = await readAll(topic)
    expect(records.map((record) => `${record.key}\t${record.payload}`)).toEqual(lines)
    expect(records.map((record) => record.offset)).toEqual(lines.map((_, index) => index))
  })

  test('headers, a null value, an empty key and a large record arrive as sent', async () => {
    const topic = uniqueName('shapes')
    const large = 'm'.repeat(900_000)
    await kcat(['-P', '-t', topic, '-p', '0', '-H', 'trace=abc', '-H', 'empty='], { input: 'with headers\n' })
    await kcat(['-P', '-t', topic, '-p', '0', '-K', '\t', '-Z'], { input: 'tombstone\t\n' })
    await kcat(['-P', '-t', topic, '-p', '0', '-X', 'message.max.bytes=1000000'], { input: `${large}\n` })
    const [first, second, third] = await readAll(topic)
    expect(first).toMatchObject({ payload: 'with headers', headers: ['trace', 'abc', 'empty', ''] })
    expect(second).toMatchObject({ key: 'tombstone', payload: null })
    expect(third?.payload).toBe(large)
  })

  test('an idempotent producer is served', async () => {
    const topic = uniqueName('idempotent')
    const lines = Array.from({ length: 500 }, (_, index) => `${index}`)
    await kcat(['-P', '-t', topic, '-p', '0', '-X', 'enable.idempotence=true'], { input: `${lines.join('\n')}\n` })
    expect((await readAll(topic)).map((record) => record.payload)).toEqual(lines)
  })

  test('-G joins a group, reads every partition and continues after its commit', async () => {
    const topic = uniqueName('balanced')
    const group = uniqueName('kcat-group')
    const send = (text: string): Promise<string> => kcat(['-P', '-t', topic, '-K', '\t'], { input: text })
    const read = (count: number): Promise<string> =>
      kcat(['-G', group, '-X', 'auto.offset.reset=earliest', '-c', String(count), '-q', '-f', '%k=%s\n', topic])
    await send('a\t1\nb\t2\nc\t3\n')
    expect((await read(3)).trimEnd().split('\n').toSorted()).toEqual(['a=1', 'b=2', 'c=3'])
    await send('d\t4\n')
    expect(await read(1)).toBe('d=4\n')
  })

  test('-Q finds the offset of a timestamp', async () => {
    const topic = uniqueName('times')
    await kcat(['-P', '-t', topic, '-p', '0'], { input: 'one\ntwo\n' })
    const [first] = await readAll(topic)
    expect(await kcat(['-Q', '-t', `${topic}:0:${first!.ts}`])).toContain('offset 0')
    expect(await kcat(['-Q', '-t', `${topic}:0:-1`])).toContain('offset 2')
    expect(await kcat(['-Q', '-t', `${topic}:0:-2`])).toContain('offset 0')
  })

  test('a topic that does not exist is an error, not a hang', async () => {
    const args = [
      '-b',
      broker.bootstrapServers,
      '-C',
      '-t',
      uniqueName('absent'),
      '-p',
      '7',
      '-e',
      '-q',
      '-X',
      'allow.auto.create.topics=false',
    ]
    const finished = await run('kcat', args)
    expect(finished.exitCode).not.toBe(0)
    expect(finished.stderr).toMatch(/Unknown (topic or )?partition/i)
  })
})

interface Envelope {
  readonly offset: number
  readonly ts: number
  readonly key: string | null
  readonly payload: string | null
  readonly headers?: readonly string[]
}
