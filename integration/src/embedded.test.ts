import { embedded } from './providers/embedded.ts'
import { describeScenarios } from './scenarios/all.ts'

await describeScenarios(embedded)
