import { realKafka } from './providers/real-kafka.ts'
import { describeScenarios } from './scenarios/all.ts'

await describeScenarios(realKafka)
