import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Provider } from './provider.ts'

const PROGRAM = join(import.meta.dirname, '..', '..', '..', 'packages', 'millrace', 'src', 'io', 'cli.ts')

/** Our broker as a process, `millrace broker`, which can be killed; its log in a temporary directory. */
export const brokerProcess: Provider = {
  name: 'embedded broker as a process',
  available: async () => undefined,
  start: async ({ properties = {} } = {}) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'millrace-integration-'))
    const launch = async (port: string): Promise<{ child: ChildProcess; bootstrapServers: string }> => {
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
    const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
      const ended = once(child, 'exit')
      child.kill(signal)
      await ended
    }
    let { child, bootstrapServers } = await launch('0')
    return {
      bootstrapServers,
      restart: async (how) => {
        await end(child, how === 'kill' ? 'SIGKILL' : 'SIGTERM')
        ;({ child } = await launch(bootstrapServers.split(':')[1]!))
      },
      stop: async () => {
        await end(child, 'SIGTERM')
        rmSync(dataDir, { recursive: true, force: true })
      },
    }
  },
}
