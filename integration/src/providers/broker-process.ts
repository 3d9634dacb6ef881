import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
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
  start: async ({ properties = {} } = {}) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'millrace-integration-'))
    const forget = (): void => rmSync(dataDir, { recursive: true, force: true })
    let { child, bootstrapServers } = await launch('0', dataDir, properties).catch((error: unknown) => {
      forget()
      throw error
    })
    /** A test whose time is up leaves it as it is. */
    let restarting: Promise<void> = Promise.resolve()
    const restart = async (how: 'stop' | 'kill'): Promise<void> => {
      await end(child, how === 'kill' ? 'SIGKILL' : 'SIGTERM')
      ;({ child } = await launch(bootstrapServers.split(':')[1]!, dataDir, properties))
    }
    return {
      bootstrapServers,
      restart: (how) => (restarting = restart(how)),
      stop: async () => {
        await restarting.catch(() => {}) // who asked for it was told
        await end(child, 'SIGTERM')
        forget()
      },
    }
  },
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
