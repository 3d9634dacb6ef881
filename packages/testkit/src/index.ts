export { run, runOk, tail, ToolError, usageOf, type Finished, type RunOptions, type Usage } from './io/child.ts'
export { freePorts } from './io/free-port.ts'
export {
  cacheDir,
  javaArguments,
  javaMissing,
  KAFKA_VERSION,
  kafkaClassPath,
  kafkaJarsThere,
  runJava,
  runJavaOk,
  type JavaOptions,
} from './io/kafka-jars.ts'
export { countBrokers } from './io/probe.ts'
export { REAL_KAFKA_CLUSTER_ID } from './io/kafka-node.ts'
export { startRealKafka, type RealKafka, type RealKafkaOptions } from './io/real-kafka.ts'
export { RealKafkaCluster, type RealKafkaClusterOptions } from './io/real-kafka-cluster.ts'
export { singleNodeProperties, type SingleNodeAddresses } from './kafka-properties.ts'
export { rewrite, rewritingEnvironment, type AskedFor, type Rewrite } from './rewriting-environment.ts'
export { SeededRandom } from './seeded-random.ts'
export { SimClock, type SimTimer } from './sim-clock.ts'
export type { Anomaly, AnomalyKind } from './anomaly.ts'
export { CoordinatorLog } from './coordinator-log.ts'
export { History, type HistoryEvent, type Order, type Owner, type Place } from './history.ts'
export { checkHistory, unhandled, type CheckOptions } from './history-checker.ts'
export { SimCluster, type SimClusterOptions } from './sim-cluster.ts'
export { SimDisk } from './sim-disk.ts'
export { SimProcess, type CrashKind } from './sim-process.ts'
export {
  HEALTHY,
  SimNetwork,
  type Direction,
  type NetworkFaults,
  type PlannedCut,
  type SimServer,
  type Traffic,
} from './sim-network.ts'
