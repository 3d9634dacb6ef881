import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { singleNodeProperties } from '../kafka-properties.ts'
import { KAFKA_PROBE_INTERVAL_MS, KAFKA_PROBE_TIMEOUT_MS, KAFKA_START_LIMIT_MS, KAFKA_STOP_LIMIT_MS } from '../limits.ts'
import { tail, ToolError } from './child.ts'
import { javaArguments, runJavaOk } from './kafka-jars.ts'
import { countBrokers } from './probe.ts'

/** The cluster id that the launcher formats a new directory with. */
export const REAL_KAFKA_CLUSTER_ID = '4L6g3nShT-eMCtK--X86sw'

export interface KafkaNodeOptions {
  readonly nodeId: number
  /** Where clients reach it, on 127.0.0.1. */
  readonly port: number
  /** The node that is the one controller, and its port. */
  readonly controller: { readonly nodeId: number; readonly port: number }
  /** An existing log directory to open instead of a new one; it is kept. */
  readonly dataDir?: string | undefined
  /** Broker properties over the launcher's own. */
  readonly properties?: Readonly<Record<string, string>> | undefined
  /** Options of the virtual machine. */
  readonly jvm: readonly string[]
}

/** One Apache Kafka (KRaft, PLAINTEXT): a broker, and the controller as well if it is named as that. It may be started again after it was killed. */
export class KafkaNode {
  readonly nodeId: number
  readonly port: number
  readonly dataDir: string
  readonly #home: string
  readonly #configFile: string
  readonly #logFile: string
  readonly #jvm: readonly string[]
  #child: ChildProcess | null = null
  #exited: Promise<void> = Promise.resolve()
  #stopping: Promise<void> | undefined

  constructor({ nodeId, port, controller, dataDir, properties, jvm }: KafkaNodeOptions) {
    this.nodeId = nodeId
    this.port = port
    this.#jvm = jvm
    this.#home = mkdtempSync(join(tmpdir(), 'millrace-kafka-'))
    this.dataDir = dataDir ?? join(this.#home, 'data')
    this.#configFile = join(this.#home, 'server.properties')
    this.#logFile = join(this.#home, 'server.log')
    const all = { ...defaultProperties(nodeId, port, controller, this.dataDir), ...properties }
    const lines = Object.entries(all).map(([key, value]) => `${key}=${value}\n`)
    writeFileSync(this.#configFile, lines.join(''))
  }

  get pid(): number {
    return this.#child?.pid ?? -1
  }

  get isRunning(): boolean {
    const child = this.#child
    return child !== null && child.pid !== undefined && child.exitCode === null && child.signalCode === null
  }

  /** Begins to run; `untilServing` waits until it is ready. @throws ToolError if a new directory cannot be formatted */
  async start(): Promise<void> {
    if (!existsSync(join(this.dataDir, 'meta.properties'))) {
      await runJavaOk('kafka.tools.StorageTool', ['format', '-t', REAL_KAFKA_CLUSTER_ID, '-c', this.#configFile])
    }
    const java = await javaArguments({ jvm: this.#jvm, logLevel: 'INFO' })
    const log = openSync(this.#logFile, 'a')
    const child = spawn('java', [...java, 'kafka.Kafka', this.#configFile], { stdio: ['ignore', log, log] })
    closeSync(log)
    this.#child = child
    this.#exited = new Promise<void>((resolve) => {
      child.once('close', () => resolve())
      child.once('error', () => resolve())
    })
  }

  /**
   * Resolves when it has answered a Metadata request that names so many live brokers.
   * @throws ToolError with the end of its log if it stops or does not answer in time
   */
  async untilServing(brokers: number): Promise<void> {
    const deadline = Date.now() + KAFKA_START_LIMIT_MS
    let last = `it named fewer than ${brokers} live brokers`
    while (Date.now() < deadline) {
      if (!this.isRunning) throw new ToolError(`Kafka stopped while starting. The end of its log:\n${tail(this.log())}`)
      try {
        if ((await countBrokers('127.0.0.1', this.port, KAFKA_PROBE_TIMEOUT_MS)) >= brokers) return
      } catch (error) {
        last = String(error)
      }
      await new Promise((resolve) => setTimeout(resolve, KAFKA_PROBE_INTERVAL_MS))
    }
    throw new ToolError(
      `Kafka did not serve within ${KAFKA_START_LIMIT_MS} ms (${last}). The end of its log:\n${tail(this.log())}`,
    )
  }

  log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : ''
  }

  /** SIGKILL; what it had not written is lost. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#exited
  }

  /** Ends it in an orderly way, or at once if it does not, and removes what is its own. Does nothing the second time. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#end())
  }

  async #end(): Promise<void> {
    const child = this.#child
    child?.kill('SIGTERM')
    const timer = setTimeout(() => child?.kill('SIGKILL'), KAFKA_STOP_LIMIT_MS)
    await this.#exited
    clearTimeout(timer)
    rmSync(this.#home, { recursive: true, force: true })
  }
}

function defaultProperties(
  nodeId: number,
  port: number,
  controller: KafkaNodeOptions['controller'],
  dataDir: string,
): Record<string, string> {
  const listener = `127.0.0.1:${port}`
  const voter = `127.0.0.1:${controller.port}`
  const onlyBroker = { 'process.roles': 'broker', listeners: `PLAINTEXT://${listener}` }
  return {
    ...singleNodeProperties({ listener, advertised: listener, controllerListener: voter, controller: voter }),
    'node.id': String(nodeId),
    'controller.quorum.voters': `${controller.nodeId}@${voter}`,
    ...(nodeId === controller.nodeId ? {} : onlyBroker),
    'log.dirs': dataDir,
    // The tests have no use for what Kafka would otherwise keep per partition of its own topics.
    'offsets.topic.num.partitions': '5',
    'transaction.state.log.num.partitions': '5',
  }
}
