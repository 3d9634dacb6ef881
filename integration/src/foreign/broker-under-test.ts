import { embedded } from '../providers/embedded.ts'
import type { Provider } from '../providers/provider.ts'
import { realKafka } from '../providers/real-kafka.ts'

/**
 * What the foreign clients talk to: the embedded broker. MILLRACE_FOREIGN_BROKER=real-kafka runs the same tests on Apache
 * Kafka instead, which shows that what they demand is Kafka's own behaviour.
 */
export const brokerUnderTest: Provider = process.env['MILLRACE_FOREIGN_BROKER'] === 'real-kafka' ? realKafka : embedded
