import { container } from './providers/container.ts'
import { describeScenarios } from './scenarios/all.ts'

await describeScenarios(container)
