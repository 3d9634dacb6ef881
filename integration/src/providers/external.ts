import { countBrokers } from '@millrace/testkit'
import type { Provider } from './provider.ts'

const PROBE_TIMEOUT_MS = 5_000

/** A cluster that is there already: KAFKA_BOOTSTRAP=host:port. Topics and groups get names of their own and are deleted again. */
export const external: Provider = {
  name: 'KAFKA_BOOTSTRAP',
  available: async () => {
    const bootstrapServers = process.env['KAFKA_BOOTSTRAP']
    if (bootstrapServers === undefined || bootstrapServers === '') return 'KAFKA_BOOTSTRAP is not set'
    // Set but wrong is a failure, not a reason to skip.
    await answering(bootstrapServers)
    return undefined
  },
  start: async () => ({ bootstrapServers: process.env['KAFKA_BOOTSTRAP']!, stop: async () => {} }),
}

async function answering(bootstrapServers: string): Promise<void> {
  const first = bootstrapServers.split(',')[0]!.trim()
  const colon = first.lastIndexOf(':')
  const port = Number(first.slice(colon + 1))
  if (colon < 1 || !Number.isInteger(port)) throw new Error(`KAFKA_BOOTSTRAP: ${JSON.stringify(first)} is not host:port`)
  await countBrokers(first.slice(0, colon).replace(/^\[|\]$/g, ''), port, PROBE_TIMEOUT_MS)
}
