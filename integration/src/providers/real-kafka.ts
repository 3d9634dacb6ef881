import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { javaMissing, KAFKA_VERSION, startRealKafka } from '@millrace/testkit'
import type { Provider } from './provider.ts'

/** Kafka's lower bounds of what a test may want to be quicker; the embedded broker has none. */
const LOWER_BOUNDS = { 'group.consumer.min.heartbeat.interval.ms': '1', 'group.consumer.min.session.timeout.ms': '1' }

/** Apache Kafka as a process of the local Java. */
export const realKafka: Provider = {
  name: `Apache Kafka ${KAFKA_VERSION}`,
  available: javaMissing,
  start: async ({ properties = {} } = {}) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'millrace-kafka-data-'))
    const options = { dataDir, properties: { ...LOWER_BOUNDS, ...properties } }
    let kafka = await startRealKafka(options)
    return {
      bootstrapServers: kafka.bootstrapServers,
      restart: async (how) => {
        const { ports } = kafka
        if (how === 'kill') await kafka.kill()
        await kafka.stop()
        kafka = await startRealKafka({ ...options, ports })
      },
      stop: async () => {
        await kafka.stop()
        rmSync(dataDir, { recursive: true, force: true })
      },
    }
  },
}
