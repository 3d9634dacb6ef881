import { Broker } from '@millrace/broker'
import { inOwnDirectory } from './own-directory.ts'
import type { Provider } from './provider.ts'

/** Our broker in this process, its log in a temporary directory. */
export const embedded: Provider = {
  name: 'embedded broker',
  available: async () => undefined,
  start: ({ properties = {} } = {}) =>
    inOwnDirectory(async (dataDir) => {
      const broker = await Broker.start({ port: 0, dataDir, config: properties })
      return { bootstrapServers: broker.bootstrapServers, stop: () => broker.close() }
    }),
}
