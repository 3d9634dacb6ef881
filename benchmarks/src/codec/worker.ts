// One operation of one codec in a process of its own: node worker.ts CODEC OPERATION. Prints nanoseconds per operation, or null.
import { median } from '../statistics.ts'
import { codecs, type CodecCase, type Operation } from './cases.ts'

const WARMUP_MS = 700
const SAMPLE_MS = 100
const SAMPLES = 9

const [codec, operation] = process.argv.slice(2) as [string, Operation]
const chosen = (await codecs[codec]!())[operation]
process.stdout.write(`${JSON.stringify(chosen === undefined ? null : await nanosPerRun(chosen))}\n`)

async function nanosPerRun(one: CodecCase): Promise<number> {
  const seen = await one.run()
  if (seen !== one.expected) throw new Error(`${codec}, ${operation}: saw ${seen}, expected ${one.expected}`)
  const isAsync = one.run() instanceof Promise
  if (isAsync) await timeAsync(one, WARMUP_MS)
  else time(one, WARMUP_MS)
  const samples: number[] = []
  for (let sample = 0; sample < SAMPLES; sample++) samples.push(isAsync ? await timeAsync(one, SAMPLE_MS) : time(one, SAMPLE_MS))
  return median(samples)
}

function time(one: CodecCase, forMs: number): number {
  const begin = performance.now()
  const end = begin + forMs
  let runs = 0
  let now = begin
  for (; now < end; now = performance.now()) {
    for (let inner = 0; inner < 50; inner++) void one.run()
    runs += 50
  }
  return ((now - begin) * 1e6) / runs
}

async function timeAsync(one: CodecCase, forMs: number): Promise<number> {
  const begin = performance.now()
  const end = begin + forMs
  let runs = 0
  let now = begin
  for (; now < end; now = performance.now()) {
    for (let inner = 0; inner < 50; inner++) await one.run()
    runs += 50
  }
  return ((now - begin) * 1e6) / runs
}
