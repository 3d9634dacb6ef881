import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from '@millrace/broker'
import type { Provider } from './provider.ts'

/** Our broker in this process, its log in a temporary directory. */
export const embedded: Provider = {
  name: 'embedded broker',
  available: async () => undefined,
  start: async ({ properties = {} } = {}) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'millrace-integration-'))
    const broker = await Broker.start({ port: 0, dataDir, config: properties })
    return {
      bootstrapServers: broker.bootstrapServers,
      stop: async () => {
        await broker.close()
        rmSync(dataDir, { recursive: true, force: true })
      },
    }
  },
}
