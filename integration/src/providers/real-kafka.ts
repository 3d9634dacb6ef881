import { javaMissing, KAFKA_VERSION, startRealKafka } from '@millrace/testkit'
import type { Provider } from './provider.ts'

/** Apache Kafka as a process of the local Java. */
export const realKafka: Provider = {
  name: `Apache Kafka ${KAFKA_VERSION}`,
  available: javaMissing,
  start: async ({ properties = {} } = {}) => {
    const kafka = await startRealKafka({ properties })
    return { bootstrapServers: kafka.bootstrapServers, stop: () => kafka.stop() }
  },
}
