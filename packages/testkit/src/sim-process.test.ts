import { expect, test } from 'vitest'
import type { Environment, TransportHandler } from '@millrace/client/internal'
import { SimClock } from './sim-clock.ts'
import { SimProcess } from './sim-process.ts'

interface Bench {
  readonly clock: SimClock
  readonly process: SimProcess
  readonly seen: string[]
  /** The network's side of the connections, in order. */
  readonly handlers: TransportHandler[]
  destroyed: number
}

function start(): Bench {
  const clock = new SimClock()
  const handlers: TransportHandler[] = []
  const outside: Environment = {
    clock,
    random: () => 0.5,
    connect: (_endpoint, handler) => {
      handlers.push(handler)
      return { write: () => true, destroy: () => void bench.destroyed++ }
    },
  }
  const bench: Bench = { clock, process: new SimProcess(clock, outside), seen: [], handlers, destroyed: 0 }
  return bench
}

function connect({ process, seen }: Bench): ReturnType<Environment['connect']> {
  return process.environment.connect(
    { host: 'h', port: 1 },
    {
      onConnect: () => seen.push('connect'),
      onData: (chunk) => seen.push(chunk.toString()),
      onDrain: () => seen.push('drain'),
      onClose: (error) => seen.push(`close ${String(error)}`),
    },
  )
}

test('frozen, nothing happens in it, and afterwards everything in the order in which it was to happen', async () => {
  const bench = start()
  const { clock, process, seen, handlers } = bench
  connect(bench)
  process.environment.clock.after(5, () => seen.push('timer'))
  process.freeze()
  const memory = Buffer.from('one')
  handlers[0]!.onData(memory)
  memory.write('xxx')
  await clock.advance(10)
  handlers[0]!.onData(Buffer.from('two'))
  await clock.advance(10)
  expect(seen).toEqual([])
  expect(process.pendingTimers).toBe(1)
  process.thaw()
  handlers[0]!.onData(Buffer.from('three'))
  await clock.advance(0)
  expect(seen).toEqual(['one', 'timer', 'two', 'three'])
  expect(process.pendingTimers).toBe(0)
})

test('a timer that fell due while frozen can still be cancelled', async () => {
  const { clock, process, seen } = start()
  const timer = process.environment.clock.after(1, () => seen.push('timer'))
  process.freeze()
  await clock.advance(5)
  timer.cancel()
  process.thaw()
  await clock.advance(5)
  expect(seen).toEqual([])
  expect(process.pendingTimers).toBe(0)
})

test.each([
  ['process', 2],
  ['machine', 0],
] as const)('crashed by %s, nothing happens in it again, and %i connections are closed', async (kind, closed) => {
  const bench = start()
  const { clock, process, seen, handlers } = bench
  connect(bench)
  connect(bench)
  process.environment.clock.after(5, () => seen.push('timer'))
  process.crash(kind)
  process.environment.clock.after(5, () => seen.push('timer'))
  handlers[0]!.onData(Buffer.from('one'))
  handlers[1]!.onClose(null)
  await clock.advance(10)
  expect(seen).toEqual([])
  expect([bench.destroyed, process.pendingTimers, process.openConnections, clock.pendingTimers]).toEqual([closed, 0, 0, 0])
})

test('counts the connections that are open, and tells a client nothing of one that it has closed', async () => {
  const bench = start()
  const { process, seen, handlers } = bench
  const first = connect(bench)
  connect(bench)
  expect(process.openConnections).toBe(2)
  first.destroy()
  handlers[0]!.onData(Buffer.from('late'))
  handlers[1]!.onClose(new Error('cut'))
  expect(seen).toEqual(['close Error: cut'])
  expect([process.openConnections, bench.destroyed]).toEqual([0, 1])
})
