// Whether each generated file is what its generator makes; what is said after the command goes to that of the protocol (`--import`).
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const packages = join(dirname(dirname(fileURLToPath(import.meta.url))), 'packages')
const checks: readonly (readonly string[])[] = [
  ['protocol/codegen/check-drift.ts', ...process.argv.slice(2)],
  ['records/codegen/compile-wasm.ts', '--check'],
]
for (const [script, ...rest] of checks) {
  const argv = [...process.execArgv, join(packages, script!), ...rest]
  if (spawnSync(process.execPath, argv, { stdio: 'inherit' }).status !== 0) process.exitCode = 1
}
