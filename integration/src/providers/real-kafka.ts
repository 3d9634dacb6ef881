import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { javaMissing, KAFKA_VERSION, startRealKafka } from '@millrace/testkit'
import type { Provider } from './provider.ts'

const PROPERTIES = {
  // What a test may want to be quicker than Kafka's lower bounds; the embedded broker has none.
  'group.consumer.min.heartbeat.interval.ms': '1',
  'group.consumer.min.session.timeout.ms': '1',
  // A broker that was killed may register again when the session of its predecessor is over: 9 s by default.
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
}

/** Apache Kafka as a process of the local Java. */
export const realKafka: Provider = {
  name: `Apache Kafka ${KAFKA_VERSION}`,
  available: javaMissing,
  start: async ({ properties = {} } = {}) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'millrace-kafka-data-'))
    const options = { dataDir, properties: { ...PROPERTIES, ...properties } }
    const forget = (): void => rmSync(dataDir, { recursive: true, force: true })
    let kafka = await startRealKafka(options).catch((error: unknown) => {
      forget()
      throw error
    })
    /** A test whose time is up leaves it as it is. */
    let restarting: Promise<void> = Promise.resolve()
    const restart = async (how: 'stop' | 'kill'): Promise<void> => {
      const { ports } = kafka
      if (how === 'kill') await kafka.kill()
      await kafka.stop()
      kafka = await startRealKafka({ ...options, ports })
    }
    return {
      bootstrapServers: kafka.bootstrapServers,
      restart: (how) => (restarting = restart(how)),
      stop: async () => {
        await restarting.catch(() => {}) // who asked for it was told
        await kafka.stop()
        forget()
      },
    }
  },
}
