import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunningBroker } from './provider.ts'

/** Starts a broker on a temporary directory of its own, which goes when it is stopped, or at once if it does not start. */
export async function inOwnDirectory(start: (dataDir: string) => Promise<RunningBroker>): Promise<RunningBroker> {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-integration-'))
  const forget = (): void => rmSync(dataDir, { recursive: true, force: true })
  const broker = await start(dataDir).catch((error: unknown) => {
    forget()
    throw error
  })
  const { bootstrapServers, restart } = broker
  /** A test whose time is up leaves it as it is. */
  let restarting: Promise<void> = Promise.resolve()
  return {
    bootstrapServers,
    ...(restart === undefined ? {} : { restart: (how: 'stop' | 'kill') => (restarting = restart(how)) }),
    stop: async () => {
      await restarting.catch(() => {}) // who asked for it was told
      await broker.stop()
      forget()
    },
  }
}
