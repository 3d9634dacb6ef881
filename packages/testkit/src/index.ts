export { run, runOk, tail, ToolError, usageOf, type Finished, type RunOptions, type Usage } from './io/child.ts'
export { freePorts } from './io/free-port.ts'
export {
  cacheDir,
  javaArguments,
  javaMissing,
  KAFKA_VERSION,
  kafkaClassPath,
  runJava,
  runJavaOk,
  type JavaOptions,
} from './io/kafka-jars.ts'
export { countBrokers } from './io/probe.ts'
export { REAL_KAFKA_CLUSTER_ID, startRealKafka, type RealKafka, type RealKafkaOptions } from './io/real-kafka.ts'
export { SeededRandom } from './seeded-random.ts'
export { SimClock, type SimTimer } from './sim-clock.ts'
