import { javaMissing, KAFKA_VERSION, startRealKafka } from '@millrace/testkit'
import { inOwnDirectory } from './own-directory.ts'
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
  start: ({ properties = {} } = {}) =>
    inOwnDirectory(async (dataDir) => {
      const options = { dataDir, properties: { ...PROPERTIES, ...properties } }
      let kafka = await startRealKafka(options)
      return {
        bootstrapServers: kafka.bootstrapServers,
        restart: async (how) => {
          const { ports } = kafka
          if (how === 'kill') await kafka.kill()
          await kafka.stop()
          kafka = await startRealKafka({ ...options, ports })
        },
        stop: () => kafka.stop(),
      }
    }),
}
