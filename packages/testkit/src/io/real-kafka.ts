import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { singleNodeProperties } from '../kafka-properties.ts'
import {
  KAFKA_PORT_ATTEMPTS,
  KAFKA_PROBE_INTERVAL_MS,
  KAFKA_PROBE_TIMEOUT_MS,
  KAFKA_START_LIMIT_MS,
  KAFKA_STOP_LIMIT_MS,
} from '../limits.ts'
import { tail, ToolError } from './child.ts'
import { freePorts } from './free-port.ts'
import { javaArguments, runJavaOk } from './kafka-jars.ts'
import { countBrokers } from './probe.ts'

export interface RealKafkaOptions {
  /** An existing log directory to open instead of a new one; it is kept after `stop`. */
  readonly dataDir?: string
  /** Ports that it had before, for a restart on its directory. Default: free ones. */
  readonly ports?: KafkaPorts
  /** Broker properties over the launcher's own. */
  readonly properties?: Readonly<Record<string, string>>
  /** Options of the virtual machine. Default a heap of 1 GiB, as Kafka's own scripts. */
  readonly jvm?: readonly string[]
}

export interface KafkaPorts {
  readonly broker: number
  readonly controller: number
}

export interface RealKafka {
  readonly bootstrapServers: string
  readonly ports: KafkaPorts
  readonly dataDir: string
  readonly pid: number
  /** What the broker has logged so far. */
  log(): string
  /** Ends it in an orderly way and removes its directory. Does nothing the second time. */
  stop(): Promise<void>
  /** SIGKILL; what it had not written is lost. The directory stays until `stop`. */
  kill(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** The cluster id that the launcher formats a new directory with. */
export const REAL_KAFKA_CLUSTER_ID = '4L6g3nShT-eMCtK--X86sw'

/**
 * Starts Apache Kafka as one process that is broker and controller (KRaft, PLAINTEXT, ports chosen by the system) and
 * resolves when it has answered a Metadata request that names a live broker.
 * @throws ToolError with the end of its log if it stops or does not answer in time
 */
export async function startRealKafka(options: RealKafkaOptions = {}): Promise<RealKafka> {
  for (let attempt = 1; ; attempt++) {
    const kafka = await launch(options, options.ports ?? (await newPorts()))
    try {
      await untilServing(kafka)
      return kafka
    } catch (error) {
      const log = kafka.log()
      await kafka.stop()
      const taken = /BindException|Address already in use/.test(log)
      if (!taken || attempt === KAFKA_PORT_ATTEMPTS) throw error
    }
  }
}

interface Launched extends RealKafka {
  readonly exited: Promise<void>
  hasExited(): boolean
}

async function newPorts(): Promise<KafkaPorts> {
  const [broker, controller] = await freePorts(2)
  return { broker: broker!, controller: controller! }
}

async function launch(options: RealKafkaOptions, ports: KafkaPorts): Promise<Launched> {
  const home = mkdtempSync(join(tmpdir(), 'millrace-kafka-'))
  const dataDir = options.dataDir ?? join(home, 'data')
  const configFile = join(home, 'server.properties')
  const logFile = join(home, 'server.log')
  const properties = { ...defaultProperties(ports, dataDir), ...options.properties }
  writeFileSync(
    configFile,
    Object.entries(properties)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  if (!existsSync(join(dataDir, 'meta.properties'))) {
    try {
      await runJavaOk('kafka.tools.StorageTool', ['format', '-t', REAL_KAFKA_CLUSTER_ID, '-c', configFile])
    } catch (error) {
      rmSync(home, { recursive: true, force: true })
      throw error
    }
  }
  const log = openSync(logFile, 'w')
  const java = await javaArguments({ jvm: options.jvm ?? ['-Xmx1g'], logLevel: 'INFO' })
  const child = spawn('java', [...java, 'kafka.Kafka', configFile], { stdio: ['ignore', log, log] })
  closeSync(log)
  const exited = new Promise<void>((resolve) => {
    child.once('close', () => resolve())
    child.once('error', () => resolve())
  })
  const readLog = (): string => readFileSync(logFile, 'utf8')
  const removeHome = (): void => rmSync(home, { recursive: true, force: true })
  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => (stopping ??= end(child, exited).then(removeHome))
  return {
    bootstrapServers: `127.0.0.1:${ports.broker}`,
    ports,
    dataDir,
    pid: child.pid ?? -1,
    exited,
    hasExited: () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined,
    log: readLog,
    stop,
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
    [Symbol.asyncDispose]: stop,
  }
}

async function untilServing(kafka: Launched): Promise<void> {
  const deadline = Date.now() + KAFKA_START_LIMIT_MS
  let last = 'it named no live broker'
  while (Date.now() < deadline) {
    if (kafka.hasExited()) throw new ToolError(`Kafka stopped while starting. The end of its log:\n${tail(kafka.log())}`)
    try {
      if ((await countBrokers('127.0.0.1', kafka.ports.broker, KAFKA_PROBE_TIMEOUT_MS)) > 0) return
    } catch (error) {
      last = String(error)
    }
    await new Promise((resolve) => setTimeout(resolve, KAFKA_PROBE_INTERVAL_MS))
  }
  throw new ToolError(
    `Kafka did not serve within ${KAFKA_START_LIMIT_MS} ms (${last}). The end of its log:\n${tail(kafka.log())}`,
  )
}

async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), KAFKA_STOP_LIMIT_MS)
  await exited
  clearTimeout(timer)
}

function defaultProperties(ports: KafkaPorts, dataDir: string): Record<string, string> {
  const listener = `127.0.0.1:${ports.broker}`
  const controller = `127.0.0.1:${ports.controller}`
  return {
    ...singleNodeProperties({ listener, advertised: listener, controllerListener: controller, controller }),
    'log.dirs': dataDir,
    // The tests have no use for what Kafka would otherwise keep per partition of its own topics.
    'offsets.topic.num.partitions': '5',
    'transaction.state.log.num.partitions': '5',
  }
}
