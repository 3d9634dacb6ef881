import { external } from './providers/external.ts'
import { describeScenarios } from './scenarios/all.ts'

await describeScenarios(external)
