import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import { createTopicsApi } from '@millrace/protocol/apis/create-topics'
import { fetchApi } from '@millrace/protocol/apis/fetch'
import { metadataApi } from '@millrace/protocol/apis/metadata'
import { offsetCommitApi } from '@millrace/protocol/apis/offset-commit'
import { offsetFetchApi } from '@millrace/protocol/apis/offset-fetch'
import { produceApi } from '@millrace/protocol/apis/produce'
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { commitRequest } from '../../test/group-requests.ts'
import { batchOf, recordsIn } from '../../test/log-fixtures.ts'
import { fetchRequest, produceRequest } from '../../test/requests.ts'
import { SocketClient } from '../../test/socket-client.ts'
import { temporaryDirectory } from '../../test/temporary-directory.ts'

/** The smallest that a topic may have. */
const SEGMENT_BYTES = 1024 * 1024
const PROGRAM = fileURLToPath(new URL('../../test/broker-process.ts', import.meta.url))

/** A broker in a process of its own; resolves with its port once it serves. */
async function startProcess(dataDir: string): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, ['--conditions=@millrace/source', PROGRAM, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(Number(line)))
    child.once('exit', (code, signal) => reject(new Error(`the broker ended with ${code ?? signal}`)))
  })
  return { child, port }
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}

test('a broker that is killed loses nothing that it acknowledged, run after run', async () => {
  const dataDir = temporaryDirectory()
  const acknowledged: string[] = []
  for (let run = 0; run < 3; run++) {
    const { child, port } = await startProcess(dataDir)
    expect(existsSync(join(dataDir, '.kafka_cleanshutdown'))).toBe(false)
    const client = await SocketClient.open(port)
    const topics = [{ name: 'orders', topicId: ZERO_UUID }]
    const request = {
      topics,
      allowAutoTopicCreation: true,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    }
    await client.ask(metadataApi, 12, request)
    for (let i = 0; i < 20; i++) {
      const value = `run ${run} record ${i}`
      const reply = await client.ask(produceApi, 12, produceRequest('orders', batchOf([value])))
      expect(reply.responses[0]!.partitionResponses[0]).toMatchObject({ errorCode: 0, baseOffset: BigInt(acknowledged.length) })
      acknowledged.push(value)
      await client.ask(offsetCommitApi, 9, commitRequest('g', { orders: [acknowledged.length] }))
    }
    await kill(child)
    client.close()
  }
  const { port } = await startProcess(dataDir)
  const client = await SocketClient.open(port)
  onTestFinished(() => client.close())
  const fetched = await client.ask(fetchApi, 12, fetchRequest([{ topic: 'orders' }]))
  expect(recordsIn(fetched.responses[0]!.partitions[0]!.records!).map(({ value }) => value)).toEqual(acknowledged)
  const groups = [{ groupId: 'g', memberId: null, memberEpoch: -1, topics: null }]
  const offsets = await client.ask(offsetFetchApi, 9, { groupId: '', topics: [], groups, requireStable: true })
  expect(offsets.groups[0]!.topics[0]!.partitions[0]!.committedOffset).toBe(60n)
})

test.each([
  ['in the log alone', 23, 0],
  ['behind a snapshot, in an older segment', 23, 22],
])('a producer that repeats its last five batches after a kill gets their offsets: %s', async (_, count, large) => {
  const dataDir = temporaryDirectory()
  const first = await startProcess(dataDir)
  const before = await SocketClient.open(first.port)
  const config = { name: 'segment.bytes', value: String(SEGMENT_BYTES) }
  const topic = { name: 'orders', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [config] }
  await before.ask(createTopicsApi, 7, { topics: [topic], timeoutMs: 1000, validateOnly: false })
  // The large one does not fit into the first segment, so that a snapshot is taken before it.
  const batch = (sequence: number): Buffer => {
    const value = sequence === large && large > 0 ? 'x'.repeat(SEGMENT_BYTES - 1000) : `v${sequence}`
    // Of today: a restart forgets producers whose last record is older than producer.id.expiration.ms, as Kafka does.
    return batchOf([{ value, timestamp: Date.now() }], { producerId: 7, producerEpoch: 0, baseSequence: sequence })
  }
  const send = async (client: SocketClient, sequence: number): Promise<[number, bigint]> => {
    const reply = await client.ask(produceApi, 12, produceRequest('orders', batch(sequence)))
    const { errorCode, baseOffset } = reply.responses[0]!.partitionResponses[0]!
    return [errorCode, baseOffset]
  }
  for (let sequence = 0; sequence < count; sequence++) expect(await send(before, sequence)).toEqual([0, BigInt(sequence)])
  const snapshots = readdirSync(join(dataDir, 'orders-0')).filter((name) => name.endsWith('.snapshot'))
  expect(snapshots).toHaveLength(large > 0 ? 1 : 0)
  await kill(first.child)
  before.close()
  const { port } = await startProcess(dataDir)
  const client = await SocketClient.open(port)
  onTestFinished(() => client.close())
  for (let sequence = count - 5; sequence < count; sequence++) expect(await send(client, sequence)).toEqual([0, BigInt(sequence)])
  expect(await send(client, count - 6)).toEqual([ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1n])
  expect(await send(client, count)).toEqual([0, BigInt(count)])
})
