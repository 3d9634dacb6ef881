import type { ClientChannel, Session } from '@millrace/broker/internal'
import type { TransportHandler } from '@millrace/client/internal'
import { describe, expect, test } from 'vitest'
import { SeededRandom } from './seeded-random.ts'
import { SimClock } from './sim-clock.ts'
import { HEALTHY, SimNetwork, type NetworkFaults } from './sim-network.ts'

const ENDPOINT = { host: 'broker.sim', port: 9092 }

interface Side {
  received: string
  events: string[]
}

/** A server that remembers what it got, and a client that does. */
function join(faults: Readonly<NetworkFaults> = HEALTHY, seed = 1) {
  const clock = new SimClock()
  const network = new SimNetwork(clock, new SeededRandom(seed), faults)
  const server: Side & { channel: ClientChannel | null } = { received: '', events: [], channel: null }
  network.listen(ENDPOINT, {
    connect: (channel): Session => {
      server.channel = channel
      return {
        receive: (chunk) => void (server.received += chunk.toString()),
        drained: () => {},
        closed: () => void server.events.push('closed'),
      }
    },
  })
  const client: Side = { received: '', events: [] }
  const handler: TransportHandler = {
    onConnect: () => void client.events.push('connect'),
    onData: (chunk) => void (client.received += chunk.toString()),
    onDrain: () => void client.events.push('drain'),
    onClose: (error) => void client.events.push(error === null ? 'end' : error.message),
  }
  return { clock, network, server, client, transport: network.connect(ENDPOINT, handler) }
}

describe('SimNetwork', () => {
  test('carries bytes both ways in order, whatever the pieces and delays', async () => {
    const { clock, server, client, transport } = join({ ...HEALTHY, delayMaxMs: 100, split: 1 })
    await clock.advance(100)
    for (let index = 0; index < 100; index++) transport.write([Buffer.from(`${index},`), Buffer.from('x,')])
    for (let index = 0; index < 100; index++) server.channel?.write([Buffer.from(`${index};`)])
    await clock.advance(1_000)
    expect(server.received).toBe(Array.from({ length: 100 }, (_, index) => `${index},x,`).join(''))
    expect(client.received).toBe(Array.from({ length: 100 }, (_, index) => `${index};`).join(''))
    expect(client.events).toEqual(['connect'])
  })

  test.each([0, 1, 4, 9])('cuts as planned after exactly %i bytes to the server, and counts what was written', async (bytes) => {
    const { clock, network, server, client } = join({ ...HEALTHY, delayMaxMs: 5 })
    network.plannedCuts = [{ connection: 1, direction: 'toServer', bytes }]
    const second = network.connect(ENDPOINT, { onConnect: () => {}, onData: () => {}, onDrain: () => {}, onClose: () => {} })
    await clock.advance(10)
    second.write([Buffer.from('0123'), Buffer.from('45678')])
    await clock.advance(10)
    expect(server).toMatchObject({ received: '012345678'.slice(0, bytes), events: ['closed'] })
    expect(client.events).toEqual(['connect'])
    expect(network.brokenConnections).toBe(1)
    expect(network.traffic[0]).toEqual({ toServer: 0, toClient: 0 })
  })

  test('cuts as planned within what the server writes', async () => {
    const { clock, network, server } = join({ ...HEALTHY, delayMaxMs: 5 })
    network.plannedCuts = [{ connection: 1, direction: 'toClient', bytes: 6 }]
    let received = ''
    const onData = (chunk: Buffer): void => void (received += chunk.toString())
    network.connect(ENDPOINT, { onConnect: () => {}, onData, onDrain: () => {}, onClose: () => {} })
    await clock.advance(10)
    server.channel!.write([Buffer.from('0123'), Buffer.from('45678')])
    server.channel!.write([Buffer.from('9')])
    await clock.advance(10)
    expect(received).toBe('012345')
    expect(server.events).toEqual(['closed'])
    expect(network.traffic[1]).toEqual({ toServer: 0, toClient: 9 })
  })

  test('an end comes after everything that was written; a destroyed transport hears nothing more', async () => {
    const { clock, server, client } = join()
    await clock.advance(10)
    server.channel?.write([Buffer.from('last words')])
    server.channel?.close()
    await clock.advance(10)
    expect(client).toEqual({ received: 'last words', events: ['connect', 'end'] })
    expect(server.events).toEqual(['closed'])

    const other = join()
    await other.clock.advance(10)
    other.transport.write([Buffer.from('bye')])
    other.transport.destroy()
    other.server.channel?.write([Buffer.from('too late')])
    await other.clock.advance(10)
    expect(other.server).toMatchObject({ received: 'bye', events: ['closed'] })
    expect(other.client).toEqual({ received: '', events: ['connect'] })
  })

  test('a cut delivers some of the bytes and then resets both ends', async () => {
    const lengths = new Set<number>()
    for (let seed = 0; seed < 50; seed++) {
      const { clock, server, client, transport } = join({ ...HEALTHY, cut: 1 }, seed)
      await clock.advance(10)
      transport.write([Buffer.from('0123456789')])
      await clock.advance(10)
      expect('0123456789'.startsWith(server.received)).toBe(true)
      expect(server.received.length).toBeLessThan(10)
      expect(server.events).toEqual(['closed'])
      expect(client.events).toEqual(['connect', 'read ECONNRESET (simulated)'])
      lengths.add(server.received.length)
    }
    expect(lengths.size).toBeGreaterThan(5)
  })

  test('refuses where nobody listens, and when the faults say so', async () => {
    const refused = join({ ...HEALTHY, refuse: 1 })
    await refused.clock.advance(10)
    expect(refused.client.events).toEqual(['connect ECONNREFUSED (simulated)'])
    const gone = join()
    await gone.clock.advance(10)
    gone.network.unlisten(ENDPOINT)
    expect(gone.client.events).toEqual(['connect', 'read ECONNRESET (simulated)'])
    expect(gone.server.events).toEqual(['closed'])
    const again: string[] = []
    const note = { onConnect: () => {}, onData: () => {}, onDrain: () => {} }
    gone.network.connect(ENDPOINT, { ...note, onClose: (error) => void again.push(String(error?.message)) })
    await gone.clock.advance(10)
    expect(again).toEqual(['connect ECONNREFUSED (simulated)'])
  })

  test('a writer that outruns the network is told to wait, and when to go on', async () => {
    const { clock, server, client, transport } = join({ ...HEALTHY, delayMinMs: 5, delayMaxMs: 5 })
    await clock.advance(10)
    expect(transport.write([Buffer.alloc(1000)])).toBe(true)
    expect(transport.write([Buffer.alloc(100_000)])).toBe(false)
    await clock.advance(10)
    expect(server.received.length).toBe(101_000)
    expect(client.events).toEqual(['connect', 'drain'])
  })

  test('a buffer that changes before it is sent shows', async () => {
    const { clock, server, transport } = join({ ...HEALTHY, delayMinMs: 5, delayMaxMs: 5 })
    await clock.advance(10)
    const buffer = Buffer.from('before')
    transport.write([buffer])
    buffer.write('after!')
    await clock.advance(10)
    expect(server.received).toBe('after!')
  })

  test('a paused reader gets everything once it resumes', async () => {
    const { clock, server, transport } = join()
    await clock.advance(10)
    server.channel?.pause?.()
    transport.write([Buffer.from('held ')])
    transport.write([Buffer.from('back')])
    await clock.advance(100)
    expect(server.received).toBe('')
    server.channel?.resume?.()
    expect(server.received).toBe('held back')
  })
})
