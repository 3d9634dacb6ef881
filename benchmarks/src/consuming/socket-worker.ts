// Reads from a local socket into the same memory over and over, the least that a client can do: node socket-worker.ts PORT. The line that it
// prints is its CPU time per byte, in microseconds.
import { connect } from 'node:net'
import { mark, type Mark } from '../load/mark.ts'

const READ_BYTES = 128 * 1024
const WARMUP_BYTES = 200_000_000
const BYTES = 1_000_000_000

let received = 0
let start: { readonly at: Mark; readonly received: number } | undefined

function read(count: number): boolean {
  received += count
  if (start === undefined) {
    if (received >= WARMUP_BYTES) start = { at: mark(), received }
  } else if (received >= WARMUP_BYTES + BYTES) {
    console.log(((mark().cpuMs - start.at.cpuMs) * 1000) / (received - start.received))
    process.exit(0)
  }
  return true
}

const onread = { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback: read }
connect({ host: '127.0.0.1', port: Number(process.argv[2]), onread })
