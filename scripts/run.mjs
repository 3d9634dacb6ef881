// Every npm script goes through here, so that each works on a fresh checkout: set up what is missing, then run the command.
import { spawn, spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { developmentNode, ensureBuilt, ensureInstalled, fail, root } from './setup.mjs'

const bin = (...path) => join(root, 'node_modules', ...path)
const vitest = [bin('vitest', 'vitest.mjs'), 'run']
const fromSource = ['--conditions=@millrace/source']

/** `built` commands run the compiled packages, as users do; the others run the sources. */
const commands = {
  start: { built: true, argv: ['examples/main-job/src/main.ts'] },
  broker: { built: true, argv: ['packages/millrace/dist/io/cli.js', 'broker'] },
  bench: { built: true, argv: ['benchmarks/src/main.ts'] },
  test: { argv: vitest },
  'test:nightly': { built: true, argv: ['scripts/ci.ts', '--nightly'], env: { MILLRACE_NIGHTLY: '1' } },
  // What the set-up cannot install is named there, and again by the tests that are skipped for it.
  'test:integration': {
    built: true,
    before: ['integration/setup.ts'],
    argv: [...vitest, '--config', 'integration/vitest.config.ts'],
  },
  lint: { argv: [bin('oxlint', 'bin', 'oxlint'), '--deny-warnings'] },
  format: { argv: [bin('oxfmt', 'bin', 'oxfmt')] },
  types: { built: true, argv: [bin('typescript', 'bin', 'tsc'), '-p', 'tsconfig.check.json'] },
  unused: { argv: [bin('knip', 'bin', 'knip.js')] },
  drift: { argv: [...fromSource, 'scripts/drift.ts'] },
  'vectors:verify': { argv: [...fromSource, 'packages/records/vectors/verify.ts'] },
  packaging: { built: true, argv: ['scripts/check-packaging.ts'] },
  ci: { built: true, argv: ['scripts/ci.ts'] },
}

const [name, ...rest] = process.argv.slice(2)
const command = commands[name]
if (!command) fail(`no command ${name}; there are: ${Object.keys(commands).join(', ')}`)

ensureInstalled()
if (command.built) ensureBuilt()
const node = developmentNode()
const settings = {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, ...command.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` },
}
if (command.before) spawnSync(node, command.before, settings)
const child = spawn(node, [...command.argv, ...rest], settings)
// A terminal sends Ctrl-C to the whole group, `kill` to one process: either way it is the child that decides how to end.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
