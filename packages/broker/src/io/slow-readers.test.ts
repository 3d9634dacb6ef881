import { fetchApi, type FetchResponse } from '@millrace/protocol/apis/fetch'
import { createTopicsApi } from '@millrace/protocol/apis/create-topics'
import { produceApi } from '@millrace/protocol/apis/produce'
import { baseOffset, RecordBatchBuilder, verifyBatch } from '@millrace/records/internal'
import { expect, onTestFinished, test } from 'vitest'
import { NOW, recordsIn } from '../../test/log-fixtures.ts'
import { fetchRequest, partitionsOf, produceRequest } from '../../test/requests.ts'
import { SocketClient } from '../../test/socket-client.ts'
import { temporaryDirectory } from '../../test/temporary-directory.ts'
import { READ_SLAB_BYTES, READ_SLABS_KEPT } from '../limits.ts'
import { Broker } from './broker.ts'

const TOPIC = 'orders'
const PARTITIONS = 4
/** A reply of all partitions is far more than the system takes at once from a client that does not read, and no slab holds many of its batches. */
const VALUE_BYTES = 100_000
const BATCHES = 24
/** Requests on one connection whose replies are on their way together. */
const IN_FLIGHT = 4
const ROUNDS = 6

/** Every value is of its own letter, batch and partition, so that bytes of another reply are not taken for those asked for. */
function valueOf(partition: number, offset: number): string {
  return `${partition}-${offset}-`.padEnd(VALUE_BYTES, String.fromCodePoint(97 + ((7 * partition + offset) % 26)))
}

function batchAt(partition: number, offset: number): Buffer {
  const builder = new RecordBatchBuilder({ batchSize: 2 * VALUE_BYTES })
  builder.tryAppend(NOW, null, Buffer.from(valueOf(partition, offset)), [])
  return Buffer.from(builder.seal())
}

/** Whether a reply is whole, and of which batches it is: each is verified against its checksum and against what was sent. */
function check(reply: FetchResponse, fromOffset: number): void {
  for (const { partitionIndex, errorCode, records } of partitionsOf(reply)) {
    expect(errorCode).toBe(0)
    expect(records!.length).toBeGreaterThan(0)
    let offset = fromOffset
    for (let at = 0; at < records!.length; offset++) {
      const end = verifyBatch(records!, at)
      expect(baseOffset(records!, at)).toBe(offset)
      const [record] = recordsIn(records!.subarray(at, end))
      expect(record!.value === valueOf(partitionIndex, offset), `partition ${partitionIndex} at ${offset}`).toBe(true)
      at = end
    }
  }
}

class Bench {
  readonly broker: Broker
  replies = 0
  readonly #awaited: { readonly count: number; readonly resolve: () => void }[] = []

  constructor(broker: Broker) {
    this.broker = broker
  }

  static async start(): Promise<Bench> {
    const broker = await Broker.start({ port: 0, dataDir: temporaryDirectory() })
    onTestFinished(() => broker.close())
    const bench = new Bench(broker)
    const client = await bench.client()
    const topic = { name: TOPIC, numPartitions: PARTITIONS, replicationFactor: 1, assignments: [], configs: [] }
    await client.ask(createTopicsApi, 7, { topics: [topic], timeoutMs: 1_000, validateOnly: false })
    for (let offset = 0; offset < BATCHES; offset++) await bench.produce(client, offset)
    return bench
  }

  async client(): Promise<SocketClient> {
    const client = await SocketClient.open(this.broker.port)
    onTestFinished(() => client.close())
    return client
  }

  async produce(client: SocketClient, offset: number): Promise<void> {
    const sent = Array.from({ length: PARTITIONS }, (_, partition) =>
      client.ask(produceApi, 12, produceRequest(TOPIC, batchAt(partition, offset), {}, partition)),
    )
    for (const { responses } of await Promise.all(sent)) {
      const { errorCode, baseOffset: at } = responses[0]!.partitionResponses[0]!
      if (errorCode !== 0 || at !== BigInt(offset)) throw new Error(`error ${errorCode} at ${at}, not stored at ${offset}`)
    }
  }

  async fetch(client: SocketClient, offset: number, maxWaitMs = 0): Promise<void> {
    const asks = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: TOPIC, partition, offset }))
    check(await client.ask(fetchApi, 12, fetchRequest(asks, { maxWaitMs, minBytes: PARTITIONS * VALUE_BYTES })), offset)
    this.replies++
    for (const { count, resolve } of this.#awaited) if (this.replies >= count) resolve()
  }

  async untilReplies(count: number): Promise<void> {
    await new Promise<void>((resolve) => this.#awaited.push({ count, resolve }))
  }

  /** Several replies at once on one connection, those behind the first unsent ones included. */
  async fetchMany(client: SocketClient): Promise<void> {
    await Promise.all(Array.from({ length: IN_FLIGHT }, (_, index) => this.fetch(client, (5 * index) % (BATCHES / 2))))
  }
}

/** Looks away after every chunk for so many turns of the event loop. */
function readSlowly({ socket }: SocketClient, turns: number): void {
  socket.on('data', () => {
    socket.pause()
    let left = turns
    const look = (): void => void (left-- > 0 ? setImmediate(look) : socket.resume())
    look()
  })
}

test('no byte of a reply changes before its client has it, however slowly that reads and whatever becomes of the others', async () => {
  const bench = await Bench.start()
  expect(PARTITIONS * IN_FLIGHT).toBeGreaterThan(READ_SLABS_KEPT)
  const fast = async (): Promise<void> => {
    const client = await bench.client()
    for (let round = 0; round < 3 * ROUNDS; round++) await bench.fetchMany(client)
  }
  const slow = async (turns: number): Promise<void> => {
    const client = await bench.client()
    readSlowly(client, turns)
    for (let round = 0; round < ROUNDS; round++) await bench.fetchMany(client)
  }
  /** Does not read at all until the others have had many replies. */
  const late = async (): Promise<void> => {
    const client = await bench.client()
    const { socket } = client
    socket.pause()
    const replies = bench.fetchMany(client)
    const enough = bench.replies + IN_FLIGHT * ROUNDS
    await bench.untilReplies(enough)
    socket.resume()
    await replies
  }
  /** Goes away in the midst of its replies. */
  const gone = async (): Promise<void> => {
    for (let round = 0; round < 2 * ROUNDS; round++) {
      const client = await bench.client()
      let left = (round % 4) * READ_SLAB_BYTES
      client.socket.on('data', ({ length }) => void ((left -= length) < 0 && client.socket.resetAndDestroy()))
      await expect(bench.fetchMany(client)).rejects.toThrow('the connection is closed')
    }
  }
  /** Asks at the end of the log, so that the broker reads when it is asked and again when there is enough. */
  const waiting = async (): Promise<void> => {
    const [client, producer] = [await bench.client(), await bench.client()]
    for (let offset = BATCHES; offset < BATCHES + 4 * ROUNDS; offset++) {
      const fetched = bench.fetch(client, offset, 60_000)
      await bench.produce(producer, offset)
      await fetched
    }
  }
  await Promise.all([fast(), fast(), slow(1), slow(20), late(), late(), gone(), waiting()])
  expect(bench.replies).toBe(2 * 3 * ROUNDS * IN_FLIGHT + 2 * ROUNDS * IN_FLIGHT + 2 * IN_FLIGHT + 4 * ROUNDS)
})
