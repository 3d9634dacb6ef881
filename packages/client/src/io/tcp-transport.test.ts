import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, test } from 'vitest'
import type { TransportHandler } from '../environment.ts'
import { TcpTransport, type Resolver } from './tcp-transport.ts'

const servers: Server[] = []
const transports: TcpTransport[] = []

afterEach(async () => {
  for (const transport of transports.splice(0)) transport.destroy()
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    onSocket(socket)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** A port that nobody listens on: it was given back a moment ago. */
async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface Recorded {
  readonly transport: TcpTransport
  readonly connected: Promise<void>
  readonly closed: Promise<Error | null>
  readonly received: () => Buffer
  readonly drained: () => number
}

function open(
  host: string,
  port: number,
  resolver?: Resolver,
  room?: () => Buffer | null,
  onChunk?: (chunk: Buffer) => void,
): Recorded {
  const connected = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<Error | null>()
  const chunks: Buffer[] = []
  let drains = 0
  const handler: TransportHandler = {
    onConnect: connected.resolve,
    get room() {
      return room?.() ?? null
    },
    onData: (chunk) => {
      chunks.push(Buffer.from(chunk))
      onChunk?.(chunk)
    },
    onDrain: () => drains++,
    onClose: closed.resolve,
  }
  const transport = new TcpTransport({ host, port }, handler, resolver)
  transports.push(transport)
  return {
    transport,
    connected: connected.promise,
    closed: closed.promise,
    received: () => Buffer.concat(chunks),
    drained: () => drains,
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

test('carries bytes both ways, in order', async () => {
  const port = await listen((socket) => socket.pipe(socket))
  const { transport, connected, received } = open('127.0.0.1', port)
  await connected
  transport.write([Buffer.from('one '), Buffer.from('two ')])
  transport.write([Buffer.from('three')])
  await until(() => received().length === 13)
  expect(received().toString()).toBe('one two three')
})

/** A server on a thread of its own, which counts the bytes that came. */
async function listenBeside(): Promise<{ readonly port: number; readonly received: Int32Array; stop(): Promise<number> }> {
  const received = new Int32Array(new SharedArrayBuffer(4))
  const program = `
    const { workerData, parentPort } = require('node:worker_threads')
    const server = require('node:net').createServer((socket) => socket.on('data', (chunk) => {
      Atomics.add(workerData, 0, chunk.length)
      Atomics.notify(workerData, 0)
    }))
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`
  const worker = new Worker(program, { eval: true, workerData: received })
  const [port] = (await once(worker, 'message')) as [number]
  return { port, received, stop: () => worker.terminate() }
}

test('what is flushed arrives before the turn is over, what is written besides after it', async () => {
  const server = await listenBeside()
  const { transport, connected } = open('127.0.0.1', server.port)
  await connected
  transport.write([Buffer.from('one ')])
  transport.write([Buffer.from('two ')])
  transport.flush()
  transport.write([Buffer.from('three')])
  transport.write([Buffer.from(' four')])
  while (Atomics.load(server.received, 0) < 8) expect(Atomics.wait(server.received, 0, 0, 10_000)).not.toBe('timed-out')
  expect(Atomics.load(server.received, 0)).toBe(8)
  await until(() => Atomics.load(server.received, 0) === 18)
  await server.stop()
})

test('says when it is full, and when there is room again', async () => {
  let accepted: Socket | undefined
  const port = await listen((socket) => {
    accepted = socket.pause()
  })
  const { transport, connected, drained } = open('127.0.0.1', port)
  await connected
  const chunk = Buffer.alloc(1 << 20)
  let writes = 1
  while (transport.write([chunk]) && writes < 1_000) writes++
  expect(writes).toBeLessThan(1_000)
  expect(drained()).toBe(0)
  await until(() => accepted !== undefined)
  accepted!.resume()
  await until(() => drained() > 0)
})

test('a refused port ends with the system’s reason', async () => {
  const port = await closedPort()
  const { closed } = open('127.0.0.1', port)
  expect((await closed)?.message).toContain(`ECONNREFUSED 127.0.0.1:${port}`)
})

test('an unknown host ends with its name', async () => {
  const { closed } = open('no-such-host.invalid', 9092)
  const error = await closed
  expect(error?.message).toContain('unknown host no-such-host.invalid')
})

test('tries each address of a name until one accepts', async () => {
  const port = await listen((socket) => socket.end('hello'))
  const asked: string[] = []
  const { connected, received } = open('many.example', port, (host, done) => {
    asked.push(host)
    done(
      null,
      ['127.0.0.2', '127.0.0.3', '127.0.0.1'].map((address) => ({ address, family: 4 })),
    )
  })
  await connected
  await until(() => received().length === 5)
  expect(asked).toEqual(['many.example'])
})

test('names every address when none accepts, and says so when there is none', async () => {
  const port = await closedPort()
  const two = open('two.example', port, (_host, done) =>
    done(
      null,
      ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 })),
    ),
  )
  const error = await two.closed
  expect(error?.message).toContain(`127.0.0.1:${port}`)
  expect(error?.message).toContain(`127.0.0.2:${port}`)
  const none = open('none.example', port, (_host, done) => done(null, []))
  expect((await none.closed)?.message).toBe('the name has no address')
})

test('a port that no socket can have is an error from the outside, not a throw', async () => {
  const { closed } = open('127.0.0.1', 70_000)
  expect((await closed)?.message).toContain('70000')
})

test('the end of the other side ends it in order, a reset with its reason', async () => {
  const ending = await listen((socket) => socket.end())
  expect(await open('127.0.0.1', ending).closed).toBeNull()
  const resetting = await listen((socket) => socket.once('data', () => socket.resetAndDestroy()))
  const { transport, connected, closed } = open('127.0.0.1', resetting)
  await connected
  transport.write([Buffer.from('x')])
  expect((await closed)?.message).toContain('ECONNRESET')
})

test('after destroy it says nothing more, at whatever moment that was', async () => {
  const port = await listen((socket) => socket.write('late'))
  let calls = 0
  const count = (): number => calls++
  const handler: TransportHandler = { onConnect: count, onData: count, onDrain: count, onClose: count }
  const resolvers: ((error: null, addresses: { address: string; family: number }[]) => void)[] = []
  const resolving = new TcpTransport({ host: 'slow.example', port }, handler, (_host, done) => resolvers.push(done))
  resolving.destroy()
  for (const resolve of resolvers) resolve(null, [{ address: '127.0.0.1', family: 4 }])
  new TcpTransport({ host: '127.0.0.1', port }, handler).destroy()
  const other = open('127.0.0.1', port)
  await until(() => other.received().length === 4)
  expect(calls).toBe(0)
})

test('what was written in the turn of the end still leaves', async () => {
  const arrived = Promise.withResolvers<string>()
  const port = await listen((socket) => {
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.on('close', () => arrived.resolve(text))
  })
  const { transport, connected } = open('127.0.0.1', port)
  await connected
  transport.write([Buffer.from('the last '), Buffer.from('words')])
  transport.destroy()
  expect(await arrived.promise).toBe('the last words')
})

test('reads straight into the memory that its owner would have the next bytes in', async () => {
  const long = Buffer.alloc(300_000, 'direct ')
  const port = await listen((socket) => socket.end(Buffer.concat([Buffer.from('first'), long])))
  const memory = Buffer.alloc(long.length)
  const places: number[] = []
  let filled = -1
  const { closed, received } = open(
    '127.0.0.1',
    port,
    undefined,
    () => (filled < 0 || filled === memory.length ? null : memory.subarray(filled)),
    (chunk) => {
      // The first read is of common memory, whatever it brings.
      if (filled < 0) filled = 0
      else if (chunk.buffer === memory.buffer) {
        places.push(chunk.byteOffset - memory.byteOffset)
        filled += chunk.length
      }
    },
  )
  expect(await closed).toBeNull()
  expect(received().equals(Buffer.concat([Buffer.from('first'), long]))).toBe(true)
  expect(places.length).toBeGreaterThan(0)
  expect(places[0]).toBe(0)
})
