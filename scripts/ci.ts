// What .ci/run does: every check in turn, all of them even after one fails, and one closing line that counts the tests.
// With --nightly only the tests, whose long versions MILLRACE_NIGHTLY=1 asks for.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Step {
  readonly name: string
  /** Arguments of npm. */
  readonly npm: readonly string[]
  /** Whether it is a vitest run, whose tests are counted one by one; any other step counts only when it fails. */
  readonly counted: boolean
}

const steps: Step[] = [
  { name: 'tests', npm: ['test'], counted: true },
  { name: 'lint', npm: ['run', 'lint'], counted: false },
  { name: 'format', npm: ['run', 'format', '--', '--check'], counted: false },
  { name: 'types', npm: ['run', 'types'], counted: false },
  { name: 'unused code', npm: ['run', 'unused'], counted: false },
  { name: 'drift of generated code', npm: ['run', 'drift'], counted: false },
  { name: 'packaging', npm: ['run', 'packaging'], counted: false },
  { name: 'integration', npm: ['run', 'test:integration'], counted: true },
  // After the integration suite, whose set-up brings Java and Maven.
  { name: "our record batches read by Kafka's classes", npm: ['run', 'vectors:verify'], counted: false },
]

interface Counts {
  passed: number
  failed: number
  skipped: number
}

const reports = mkdtempSync(join(tmpdir(), 'millrace-ci-'))
const total: Counts = { passed: 0, failed: 0, skipped: 0 }
const chosen = process.argv.includes('--nightly') ? steps.filter(({ counted }) => counted) : steps
for (const [index, step] of chosen.entries()) {
  const startedAt = Date.now()
  console.log(`\n== ${step.name}`)
  const counts = run(step, join(reports, `${index}.json`))
  total.passed += counts.passed
  total.failed += counts.failed
  total.skipped += counts.skipped
  console.log(`== ${step.name}: ${counts.failed === 0 ? 'ok' : 'FAILED'} (${Math.round((Date.now() - startedAt) / 1000)} s)`)
}
rmSync(reports, { recursive: true })
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
console.log(`\n${total.passed} passed, ${total.failed} failed${skipped}`)
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1)

function run(step: Step, report: string): Counts {
  const reporters = ['--', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const { status } = spawnSync('npm', [...step.npm, ...(step.counted ? reporters : [])], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (!step.counted) return { passed: 0, failed: status === 0 ? 0 : 1, skipped: 0 }
  const counts = readCounts(report)
  // An error outside any test (a file that does not load, an unhandled rejection) fails the run without a failed test.
  if (status !== 0 && counts.failed === 0) counts.failed = 1
  return counts
}

function readCounts(report: string): Counts {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(report, 'utf8'))
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests + numTodoTests }
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
}
