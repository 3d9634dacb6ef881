import { ConfigError, ZERO_UUID } from '@millrace/protocol'
import { createTopicsApi } from '@millrace/protocol/apis/create-topics'
import { fetchApi } from '@millrace/protocol/apis/fetch'
import { metadataApi, type MetadataRequest } from '@millrace/protocol/apis/metadata'
import { offsetCommitApi } from '@millrace/protocol/apis/offset-commit'
import { offsetFetchApi } from '@millrace/protocol/apis/offset-fetch'
import { produceApi } from '@millrace/protocol/apis/produce'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { commitRequest } from '../../test/group-requests.ts'
import { batchOf, recordsIn } from '../../test/log-fixtures.ts'
import { fetchRequest, produceRequest } from '../../test/requests.ts'
import { SocketClient } from '../../test/socket-client.ts'
import { temporaryDirectory } from '../../test/temporary-directory.ts'
import type { BrokerOptions } from './broker-options.ts'
import { BrokerStartError } from './broker-start-error.ts'
import { Broker } from './broker.ts'

async function start(options: BrokerOptions = {}): Promise<Broker> {
  const broker = await Broker.start({ port: 0, ...options })
  onTestFinished(() => broker.close())
  return broker
}

async function clientOf(broker: Broker): Promise<SocketClient> {
  const client = await SocketClient.open(broker.port)
  onTestFinished(() => client.close())
  return client
}

const metadataRequest = (name: string): MetadataRequest => ({
  topics: [{ name, topicId: ZERO_UUID }],
  allowAutoTopicCreation: true,
  includeClusterAuthorizedOperations: false,
  includeTopicAuthorizedOperations: false,
})

describe('serving', () => {
  test('tells clients the port that is bound', async () => {
    const broker = await start()
    expect(broker.port).toBeGreaterThan(0)
    expect(broker.bootstrapServers).toBe(`127.0.0.1:${broker.port}`)
    const client = await clientOf(broker)
    const reply = await client.ask(metadataApi, 12, metadataRequest('orders'))
    expect(reply.brokers).toEqual([{ nodeId: 1, host: '127.0.0.1', port: broker.port, rack: null }])
    expect(reply.clusterId).toBe(broker.clusterId)
  })

  test('tells clients another address when that is given, and localhost for all addresses', async () => {
    const advertised = await start({ advertisedHost: 'broker.test', advertisedPort: 4711 })
    expect(advertised.bootstrapServers).toBe('broker.test:4711')
    const everywhere = await start({ host: '0.0.0.0' })
    expect(everywhere.bootstrapServers).toBe(`localhost:${everywhere.port}`)
  })

  test('records go in and come out, larger than any one chunk of the socket', async () => {
    const broker = await start({ config: { 'message.max.bytes': 8_000_000 } })
    const client = await clientOf(broker)
    await client.ask(metadataApi, 12, metadataRequest('orders'))
    const value = 'v'.repeat(5_000_000)
    const produced = await client.ask(produceApi, 12, produceRequest('orders', batchOf([value])))
    expect(produced.responses[0]!.partitionResponses[0]).toMatchObject({ errorCode: 0, baseOffset: 0n })
    const fetched = await client.ask(fetchApi, 12, fetchRequest([{ topic: 'orders' }]))
    expect(recordsIn(fetched.responses[0]!.partitions[0]!.records!).map((record) => record.value === value)).toEqual([true])
  })

  test('another protocol on the port is cut off', async () => {
    const broker = await start()
    const socket = connect(broker.port, '127.0.0.1')
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    socket.resume()
    await closed
    expect(socket.destroyed).toBe(true)
  })

  test('a connection on which nothing happens for connections.max.idle.ms is ended, also under a request that waits', async () => {
    const broker = await start({ config: { 'connections.max.idle.ms': 1500 } })
    const [silent, waiting, busy] = [await clientOf(broker), await clientOf(broker), await clientOf(broker)]
    await busy.ask(metadataApi, 12, metadataRequest('orders'))
    const idle = new Promise((resolve) => silent.socket.once('close', () => resolve('ended')))
    const parked = waiting.ask(fetchApi, 12, fetchRequest([{ topic: 'orders' }], { maxWaitMs: 600_000 }))
    const outcomes = Promise.all([idle, parked.catch((error: unknown) => (error as Error).message)])
    let ended: unknown[] | null = null
    void outcomes.then((all) => (ended = all))
    while (ended === null) {
      const reply = await busy.ask(metadataApi, 12, metadataRequest('orders'))
      expect(reply.topics).toHaveLength(1)
    }
    expect(ended).toEqual(['ended', 'the connection is closed'])
    expect(busy.socket.closed).toBe(false)
  })

  test('many connections at once', async () => {
    const broker = await start()
    const clients = await Promise.all(Array.from({ length: 50 }, () => clientOf(broker)))
    const replies = await Promise.all(clients.map((client) => client.ask(metadataApi, 12, metadataRequest('orders'))))
    expect(new Set(replies.map((reply) => reply.topics[0]!.topicId)).size).toBe(1)
  })
})

describe('closing', () => {
  test('is idempotent, ends connections and frees the port', async () => {
    const broker = await Broker.start({ port: 0 })
    const client = await clientOf(broker)
    const ended = new Promise((resolve) => client.socket.once('close', resolve))
    expect(broker.close()).toBe(broker.close())
    await broker.close()
    await ended
    const again = await start({ port: broker.port })
    expect(again.port).toBe(broker.port)
  })

  test('a parked fetch does not hold it up', async () => {
    const broker = await Broker.start({ port: 0 })
    const client = await clientOf(broker)
    await client.ask(metadataApi, 12, metadataRequest('orders'))
    const parked = client.ask(fetchApi, 12, fetchRequest([{ topic: 'orders' }], { maxWaitMs: 600_000 }))
    const outcome = parked.catch((error: unknown) => (error as Error).message)
    await broker.close()
    expect(await outcome).toBe('the connection is closed')
  })

  test.each(['never', { delayMs: 600_000 }, { throttleTimeMs: 600_000 }] as const)(
    'a request that is answered %j does not hold it up, nor do those behind it',
    async (answer) => {
      const broker = await Broker.start({ port: 0 })
      const client = await clientOf(broker)
      broker.requests.start()
      broker.faults.add({ api: 'Metadata', answer })
      const lost = [1, 2, 3].map(() => client.ask(metadataApi, 12, metadataRequest('orders')))
      const outcomes = Promise.allSettled(lost)
      await broker.requests.waitFor({ api: 'Metadata' })
      await broker.close()
      const answered = typeof answer === 'object' && 'throttleTimeMs' in answer ? 1 : 0
      expect((await outcomes).filter(({ status }) => status === 'fulfilled')).toHaveLength(answered)
      expect(broker.requests.list({ outcome: 'waiting' })).toEqual([])
    },
  )

  test('await using closes', async () => {
    let port: number
    {
      await using broker = await Broker.start({ port: 0 })
      port = broker.port
    }
    await expect(SocketClient.open(port)).rejects.toThrow('ECONNREFUSED')
  })
})

describe('a data directory', () => {
  test('is created, named as its owner and continued after a restart', async () => {
    const dataDir = join(temporaryDirectory(), 'deep', 'data')
    const first = await Broker.start({ port: 0, dataDir })
    const writer = await clientOf(first)
    const topics = [
      {
        name: 'orders',
        numPartitions: 2,
        replicationFactor: 1,
        assignments: [],
        configs: [{ name: 'retention.ms', value: '-1' }],
      },
    ]
    await writer.ask(createTopicsApi, 7, { topics, timeoutMs: 1000, validateOnly: false })
    await writer.ask(produceApi, 12, produceRequest('orders', batchOf(['a', 'b'])))
    await writer.ask(offsetCommitApi, 9, commitRequest('g', { orders: [2] }))
    await first.close()
    expect(readFileSync(join(dataDir, 'meta.properties'), 'utf8')).toMatch(
      new RegExp(`^#\n#\ncluster\\.id=${first.clusterId}\ndirectory\\.id=[\\w-]{22}\nnode\\.id=1\nversion=1\n$`),
    )
    expect(readdirSync(dataDir)).toEqual(
      expect.arrayContaining(['.kafka_cleanshutdown', '__cluster_metadata-0', 'orders-0', 'orders-1']),
    )
    expect(existsSync(join(dataDir, '.lock'))).toBe(false)

    const second = await start({ dataDir })
    expect(second.clusterId).toBe(first.clusterId)
    const reader = await clientOf(second)
    const fetched = await reader.ask(fetchApi, 12, fetchRequest([{ topic: 'orders' }]))
    expect(recordsIn(fetched.responses[0]!.partitions[0]!.records!).map(({ value }) => value)).toEqual(['a', 'b'])
    const groups = [{ groupId: 'g', memberId: null, memberEpoch: -1, topics: null }]
    const offsets = await reader.ask(offsetFetchApi, 9, { groupId: '', topics: [], groups, requireStable: true })
    expect(offsets.groups[0]!.topics).toMatchObject([{ name: 'orders', partitions: [{ committedOffset: 2n }] }])
  })

  test('in use by this process is refused, and free again after close', async () => {
    const dataDir = temporaryDirectory()
    const first = await start({ dataDir })
    await expect(Broker.start({ port: 0, dataDir })).rejects.toMatchObject({
      code: 'DATA_DIR_LOCKED',
      message: expect.stringContaining(`${dataDir} is in use by this process already`),
    })
    await first.close()
    await start({ dataDir })
  })

  test('in use by another process is refused; a lock whose process is gone is taken over', async () => {
    const dataDir = temporaryDirectory()
    // The parent of this process lives; no process has this id.
    writeFileSync(join(dataDir, '.lock'), `${process.ppid}\n`)
    await expect(Broker.start({ port: 0, dataDir })).rejects.toMatchObject({
      code: 'DATA_DIR_LOCKED',
      message: expect.stringContaining(`in use by process ${process.ppid}`),
    })
    for (const stale of ['4194305\n', 'nonsense', '', `${process.pid} 1\n`, `${process.ppid} 1\n`]) {
      writeFileSync(join(dataDir, '.lock'), stale)
      const broker = await Broker.start({ port: 0, dataDir })
      await broker.close()
    }
    expect(readdirSync(dataDir).filter((name) => name.startsWith('.lock'))).toEqual([])
  })

  const foreign: [string, (path: string) => void, BrokerOptions, string, RegExp][] = [
    [
      'someone else’s files',
      (path) => writeFileSync(join(path, 'thesis.txt'), ''),
      {},
      'DATA_DIR_FOREIGN',
      /not empty and has no meta\.properties/,
    ],
    ['another node', (path) => meta(path, 'node.id=7'), {}, 'DATA_DIR_FOREIGN', /belongs to node 7; this broker is node 1/],
    [
      'another cluster',
      (path) => meta(path),
      { clusterId: 'BBBBBBBBBBBBBBBBBBBBBg' },
      'DATA_DIR_FOREIGN',
      /belongs to cluster AAAAAAAAAAAAAAAAAAAAAg/,
    ],
    ['an old format', (path) => meta(path, 'version=0'), {}, 'DATA_DIR_CORRUPT', /version 0; expected 1/],
    ['no cluster id', (path) => meta(path, 'cluster.id='), {}, 'DATA_DIR_CORRUPT', /cluster\.id is missing/],
    ['no node id', (path) => meta(path, 'node.id=x'), {}, 'DATA_DIR_CORRUPT', /node\.id is missing or not a number/],
    [
      'a torn line',
      (path) => writeFileSync(join(path, 'meta.properties'), 'version'),
      {},
      'DATA_DIR_CORRUPT',
      /"version" is not name=value/,
    ],
    [
      'a metadata log that contradicts itself',
      contradictoryMetadata,
      {},
      'DATA_DIR_CORRUPT',
      /removal of topic id .* which is not there/,
    ],
    [
      'a metadata log of something newer',
      newerMetadata,
      {},
      'DATA_DIR_CORRUPT',
      /metadata record type 99, which this broker does not know/,
    ],
  ]
  test.each(foreign)('of %s is refused and left as it was', async (_, prepare, options, code, message) => {
    const dataDir = temporaryDirectory()
    prepare(dataDir)
    const before = readdirSync(dataDir)
    const failure = await Broker.start({ port: 0, dataDir, ...options }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(BrokerStartError)
    expect(failure).toMatchObject({ code, message: expect.stringMatching(message) })
    expect((failure as Error).message).toContain(dataDir)
    expect((failure as Error).message).toMatch(/choose|Leave/i)
    expect(readdirSync(dataDir)).toEqual(expect.arrayContaining(before))
    expect(existsSync(join(dataDir, '.lock'))).toBe(false)
  })

  test('that is a file is refused', async () => {
    const file = join(temporaryDirectory(), 'file')
    writeFileSync(file, '')
    await expect(Broker.start({ port: 0, dataDir: file })).rejects.toMatchObject({
      code: 'DATA_DIR_UNUSABLE',
      message: expect.stringMatching(new RegExp(`${file}.*Choose a directory, not a file`)),
    })
  })

  test.skipIf(process.getuid?.() === 0)('that cannot be written is refused', async () => {
    const dataDir = join(temporaryDirectory(), 'sealed')
    mkdirSync(dataDir)
    chmodSync(dataDir, 0o500)
    await expect(Broker.start({ port: 0, dataDir })).rejects.toMatchObject({ code: 'DATA_DIR_UNUSABLE' })
  })
})

describe('start refuses', () => {
  test('a port in use, and frees the directory again', async () => {
    const first = await start()
    const dataDir = temporaryDirectory()
    await expect(Broker.start({ port: first.port, dataDir })).rejects.toMatchObject({
      name: 'BrokerStartError',
      code: 'PORT_IN_USE',
      message: `port ${first.port} on 127.0.0.1 is in use: stop what listens there, or choose another port (0: any free one)`,
    })
    await start({ dataDir })
  })

  const wrong: [string, object, RegExp][] = [
    ['host', { host: '' }, /^host: "" is not allowed/],
    ['port', { port: 70_000 }, /^port: 70000 is not allowed; expected a whole number, 0 to 65535/],
    ['port', { port: '9092' }, /^port: "9092"/],
    ['advertisedPort', { advertisedPort: 0 }, /^advertisedPort: 0/],
    ['nodeId', { nodeId: -1 }, /^nodeId: -1/],
    ['dataDir', { dataDir: '' }, /^dataDir: ""/],
    ['clusterId', { clusterId: 'short' }, /^clusterId: "short"/],
    ['flush', { flush: 'never' }, /^flush: "never" is not allowed; expected 'os', 'interval' or 'fsync'/],
    ['numPartitions', { numPartitions: 0 }, /^numPartitions: 0/],
    ['autoCreateTopics', { autoCreateTopics: 'yes' }, /^autoCreateTopics: "yes" is not allowed; expected true or false/],
    ['prot', { prot: 1 }, /^prot: 1 is not allowed; expected one of the options host, port/],
    ['config', { config: [] }, /^config: an array/],
    ["config['colour']", { config: { colour: 'red' } }, /a broker configuration name that this broker honours/],
    ["config['num.partitions']", { config: { 'num.partitions': 'many' } }, /expected a whole number/],
    ["config['log.cleanup.policy']", { config: { 'log.cleanup.policy': 'compact' } }, /not supported by this broker/],
    [
      "config['group.min.session.timeout.ms']",
      { config: { 'group.min.session.timeout.ms': 2_000_000 } },
      /at most group\.max\.session\.timeout\.ms/,
    ],
  ]
  test.each(wrong)('a wrong %s', async (option, options, message) => {
    const failure = await Broker.start({ port: 0, ...options }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ConfigError)
    expect(failure).toMatchObject({ option, message: expect.stringMatching(message) })
  })
})

function meta(path: string, line = ''): void {
  const lines = ['cluster.id=AAAAAAAAAAAAAAAAAAAAAg', 'directory.id=CCCCCCCCCCCCCCCCCCCCCg', 'node.id=1', 'version=1']
  const name = line.split('=')[0]
  writeFileSync(join(path, 'meta.properties'), lines.map((given) => (given.startsWith(`${name}=`) ? line : given)).join('\n'))
}

/** A metadata log whose only record is of a type that only a later Kafka writes. */
function newerMetadata(path: string): void {
  metadataLog(path, '\u0001\u0063\u0000')
  // A clean end is still one for the broker whose directory it is.
  writeFileSync(join(path, '.kafka_cleanshutdown'), '{"version":0,"brokerEpoch":7}')
  mkdirSync(join(path, 'orders-0.1234-delete'))
}

/** A metadata log that removes a topic which it never added. */
function contradictoryMetadata(path: string): void {
  metadataLog(path, `\u0001\u0009\u0000${'\u0001'.repeat(16)}\u0000`)
}

function metadataLog(path: string, record: string): void {
  meta(path)
  const directory = join(path, '__cluster_metadata-0')
  mkdirSync(directory)
  writeFileSync(join(directory, '00000000000000000000.log'), batchOf([record]))
}
