import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { inOwnDirectory } from './own-directory.ts'
import type { Provider } from './provider.ts'

const PROGRAM = join(import.meta.dirname, '..', '..', '..', 'packages', 'millrace', 'src', 'io', 'cli.ts')

interface Launched {
  readonly child: ChildProcess
  readonly bootstrapServers: string
}

/** Our broker as a process, `millrace broker`, which can be killed; its log in a temporary directory. */
export const brokerProcess: Provider = {
  name: 'embedded broker as a process',
  available: async () => undefined,
  start: ({ properties = {} } = {}) =>
    inOwnDirectory(async (dataDir) => {
      let { child, bootstrapServers } = await launch('0', dataDir, properties)
      return {
        bootstrapServers,
        restart: async (how) => {
          await end(child, how === 'kill' ? 'SIGKILL' : 'SIGTERM')
          ;({ child } = await launch(bootstrapServers.split(':')[1]!, dataDir, properties))
        },
        stop: () => end(child, 'SIGTERM'),
      }
    }),
}

/** @throws Error if it ends before it serves */
async function launch(port: string, dataDir: string, properties: Readonly<Record<string, string>>): Promise<Launched> {
  const config = Object.entries(properties).flatMap(([name, value]) => ['--config', `${name}=${value}`])
  const args = ['--conditions=@millrace/source', PROGRAM, 'broker', '--port', port, '--data', dataDir, ...config]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const said = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the broker ended with code ${String(code)} before it served`)
  })
  const [line] = await Promise.race([said, ended])
  ended.catch(() => {})
  return { child, bootstrapServers: line.replace('listening on ', '') }
}

/** Does nothing to one that has ended. */
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}
