// Makes a fresh checkout ready: the pinned pnpm, Node 24 where the machine's own is older, the locked dependencies.
// Plain JavaScript for Node 20, since it runs before anything is installed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

const OLDEST_NODE_TO_START_FROM = 20
const DEVELOPMENT_NODE = 24
const stampFile = join(root, 'node_modules', '.millrace-setup')

/** The Node to run with: this one if it is new enough, otherwise the one that the install brought as an npm package. */
export function developmentNode() {
  if (major() >= DEVELOPMENT_NODE) return process.execPath
  const name = process.platform === 'win32' ? 'node.exe' : 'node'
  const installed = join(root, 'node_modules', 'node', 'bin', name)
  if (existsSync(installed)) return installed
  return fail(
    `Node ${process.version} is too old and no Node ${DEVELOPMENT_NODE} could be installed for ${process.platform}-${process.arch}; install Node ${DEVELOPMENT_NODE} and try again`,
  )
}

/** Installs unless the last install was of exactly these manifests. */
export function ensureInstalled() {
  if (major() < OLDEST_NODE_TO_START_FROM)
    fail(`Node ${process.version} is too old; Node ${OLDEST_NODE_TO_START_FROM} or newer is needed to begin`)
  const stamp = manifestsDigest()
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  const pnpm = `pnpm@${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines.pnpm}`
  const fetched = major() >= DEVELOPMENT_NODE ? [pnpm] : [`node@${DEVELOPMENT_NODE}`, pnpm]
  say(`setting up (once): fetching ${fetched.join(' and ')} from npm, then installing the locked dependencies`)
  const npx = [
    '--yes',
    ...fetched.flatMap((name) => ['-p', name]),
    '--',
    'pnpm',
    'install',
    '--frozen-lockfile',
    '--reporter=append-only',
  ]
  const result = spawnSync('npx', npx, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (result.status !== 0) fail(`the install failed${result.error ? `: ${result.error.message}` : ''}; see the lines above`)
  writeFileSync(stampFile, stamp)
}

/** Compiles what changed since the last time; a no-op takes a fraction of a second. */
export function ensureBuilt() {
  const fresh = !existsSync(join(root, 'packages', 'millrace', 'dist', 'index.js'))
  if (fresh) say('building the packages (once)')
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const result = spawnSync(developmentNode(), [tsc, '-b'], { cwd: root, stdio: 'inherit' })
  if (result.status !== 0) fail('the build failed; see the lines above')
}

export function say(text) {
  process.stderr.write(`millrace: ${text}\n`)
}

export function fail(text) {
  say(text)
  process.exit(1)
}

function manifestsDigest() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${major()}\n`)
  const folders = [
    '.',
    'examples',
    'integration',
    'benchmarks',
    ...readdirSync(join(root, 'packages')).map((name) => join('packages', name)),
  ]
  for (const folder of folders) {
    const manifest = join(root, folder, 'package.json')
    if (existsSync(manifest)) hash.update(readFileSync(manifest))
  }
  for (const name of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(readFileSync(join(root, name)))
  return hash.digest('hex')
}

function major() {
  return Number(process.versions.node.split('.')[0])
}
