// Installs what the integration suites need and this machine lacks: Kafka's jars, kcat, and Python's Kafka clients.
// usage: node setup.ts [--container]      as root on Debian or Ubuntu it installs packages by apt; elsewhere it says what is missing.
// With --container, or MILLRACE_NIGHTLY=1, it also sees to a Docker daemon and an image of Kafka, pulled or built here.
// What cannot be installed is named, and the tests that need it are reported as skipped.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
// By path: this script runs on a machine where nothing is built yet.
import { run, runOk, tail, ToolError } from '../packages/testkit/src/io/child.ts'
import { cacheDir, javaMissing, KAFKA_VERSION, kafkaClassPath, kafkaJarsThere } from '../packages/testkit/src/io/kafka-jars.ts'

const INSTALL_LIMIT_MS = 600_000
const DOCKER_START_LIMIT_MS = 60_000
const DOCKER_PROBE_INTERVAL_MS = 500
const PYTHON_CLIENTS = ['kafka-python[snappy,lz4,zstd]==3.0.12', 'confluent-kafka==2.16.1']

interface Step {
  readonly name: string
  isThere(): Promise<boolean>
  install(): Promise<void>
}

const { values: options } = parseArgs({
  options: { container: { type: 'boolean', default: process.env['MILLRACE_NIGHTLY'] === '1' } },
})

const steps: readonly Step[] = [
  {
    name: 'Java 17 and Maven',
    isThere: async () => (await javaMissing()) === undefined,
    install: () => apt('openjdk-17-jre-headless', 'maven'),
  },
  {
    name: "Kafka's jars",
    isThere: async () => kafkaJarsThere(),
    install: async () => void (await kafkaClassPath()),
  },
  { name: 'kcat', isThere: () => runs('kcat', '-V'), install: () => apt('kcat') },
  { name: 'kafka-python and confluent-kafka', isThere: pythonClientsThere, install: installPythonClients },
  ...(options.container
    ? [
        { name: 'a Docker daemon', isThere: () => runs('docker', 'info'), install: startDocker },
        { name: 'an image of Kafka', isThere: imageThere, install: buildImage },
      ]
    : []),
]

let failures = 0
for (const step of steps) {
  try {
    if (await step.isThere()) {
      console.log(`${step.name}: already here`)
      continue
    }
    await step.install()
    console.log(`${step.name}: installed`)
  } catch (error) {
    if (!(error instanceof ToolError)) throw error
    failures++
    console.error(`${step.name}: NOT INSTALLED, its tests will be skipped. ${error.message}`)
  }
}
process.exitCode = failures === 0 ? 0 : 1

async function runs(command: string, ...args: string[]): Promise<boolean> {
  const finished = await run(command, args).catch(() => undefined)
  return finished?.exitCode === 0
}

async function apt(...packages: string[]): Promise<void> {
  if (!(await runs('apt-get', '--version'))) throw new ToolError(`no apt-get here; install ${packages.join(' and ')} by hand`)
  if (process.getuid?.() !== 0) throw new ToolError(`apt-get needs root; install ${packages.join(' and ')} by hand`)
  const options = { timeoutMs: INSTALL_LIMIT_MS, env: { DEBIAN_FRONTEND: 'noninteractive' } }
  await runOk('apt-get', ['update', '-qq'], options)
  await runOk('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], options)
}

async function pythonClientsThere(): Promise<boolean> {
  const python = join(cacheDir, 'python', 'bin', 'python')
  return existsSync(python) && runs(python, '-c', 'import kafka, confluent_kafka, lz4.frame, snappy, zstandard')
}

async function installPythonClients(): Promise<void> {
  const home = join(cacheDir, 'python')
  mkdirSync(cacheDir, { recursive: true })
  if (!(await runs('python3', '-m', 'venv', home))) {
    await apt('python3', 'python3-venv')
    await runOk('python3', ['-m', 'venv', '--clear', home])
  }
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PYTHON_CLIENTS]
  await runOk(join(home, 'bin', 'python'), pip, { timeoutMs: INSTALL_LIMIT_MS })
}

/** The daemon stays: `kill $(cat .cache/docker/pid)` ends it. */
async function startDocker(): Promise<void> {
  if (!(await runs('dockerd', '--version'))) await apt('docker.io', 'iptables')
  if (process.getuid?.() !== 0) throw new ToolError('dockerd needs root; start it by hand')
  const home = join(cacheDir, 'docker')
  mkdirSync(home, { recursive: true })
  const log = openSync(join(home, 'log'), 'w')
  const daemon = spawn('dockerd', ['--pidfile', join(home, 'pid')], { detached: true, stdio: ['ignore', log, log] })
  daemon.unref()
  for (let waited = 0; waited < DOCKER_START_LIMIT_MS; waited += DOCKER_PROBE_INTERVAL_MS) {
    if (await runs('docker', 'info')) return
    await new Promise((resolve) => setTimeout(resolve, DOCKER_PROBE_INTERVAL_MS))
  }
  throw new ToolError(
    `dockerd did not answer within ${DOCKER_START_LIMIT_MS} ms; the end of ${home}/log:\n${tail(readFileSync(join(home, 'log'), 'utf8'), 5)}`,
  )
}

async function imageThere(): Promise<boolean> {
  for (const name of ['apache/kafka', 'millrace/kafka'])
    if (await runs('docker', 'image', 'inspect', `${name}:${KAFKA_VERSION}`)) return true
  return false
}

async function buildImage(): Promise<void> {
  if (await runs('docker', 'pull', '-q', `apache/kafka:${KAFKA_VERSION}`)) return
  await runOk(join(import.meta.dirname, 'container', 'docker-image.sh'), [], { timeoutMs: INSTALL_LIMIT_MS })
}
