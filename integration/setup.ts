// Installs what the integration suites need and this machine lacks: Kafka's jars, kcat, and Python's Kafka clients.
// usage: node setup.ts      as root on Debian or Ubuntu it installs packages by apt; elsewhere it says what is missing.
// What cannot be installed is named, and the tests that need it are reported as skipped.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
// By path: this script runs on a machine where nothing is built yet.
import { run, runOk, ToolError } from '../packages/testkit/src/io/child.ts'
import { cacheDir, javaMissing, kafkaClassPath, kafkaJarsThere } from '../packages/testkit/src/io/kafka-jars.ts'

const INSTALL_LIMIT_MS = 600_000
const PYTHON_CLIENTS = ['kafka-python[snappy,lz4,zstd]==3.0.12', 'confluent-kafka==2.16.1']

interface Step {
  readonly name: string
  isThere(): Promise<boolean>
  install(): Promise<void>
}

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
]

parseArgs({ options: {} })
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
