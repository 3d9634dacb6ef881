import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { runOk } from '@millrace/testkit'
import { WORKER_LIMIT_MS } from '../limits.ts'
import { median } from '../statistics.ts'

const CHUNK: Buffer = Buffer.alloc(1024 * 1024, 1)
const ROUNDS = 5

/** CPU microseconds per byte of a process that reads from a local socket and does not look at what it reads. */
export async function socketMicrosPerByte(): Promise<number> {
  const server = createServer(pour).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const command = [...process.execArgv, join(import.meta.dirname, 'socket-worker.ts'), String(port)]
  const measured: number[] = []
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const { stdout } = await runOk(process.execPath, command, { timeoutMs: WORKER_LIMIT_MS })
      measured.push(Number(stdout))
    }
  } finally {
    server.close()
  }
  return median(measured)
}

/** As much as the other end takes. */
function pour(socket: Socket): void {
  const more = (): void => {
    while (socket.writable && socket.write(CHUNK));
  }
  socket.on('error', () => {})
  socket.on('drain', more)
  more()
}
