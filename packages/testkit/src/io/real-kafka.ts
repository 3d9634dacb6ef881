import { KAFKA_PORT_ATTEMPTS } from '../limits.ts'
import { freePorts } from './free-port.ts'
import { KafkaNode } from './kafka-node.ts'

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

/**
 * Starts Apache Kafka as one process that is broker and controller (KRaft, PLAINTEXT, ports chosen by the system) and
 * resolves when it has answered a Metadata request that names a live broker.
 * @throws ToolError with the end of its log if it stops or does not answer in time
 */
export async function startRealKafka(options: RealKafkaOptions = {}): Promise<RealKafka> {
  const { dataDir, ports, properties, jvm = ['-Xmx1g'] } = options
  const choose = (): Promise<readonly number[]> =>
    ports === undefined ? freePorts(2) : Promise.resolve([ports.broker, ports.controller])
  let controllerPort = 0
  const [node] = await startNodes(choose, ([port, other]) => {
    controllerPort = other!
    return [new KafkaNode({ nodeId: 1, port: port!, controller: { nodeId: 1, port: controllerPort }, dataDir, properties, jvm })]
  })
  const kafka = node!
  return {
    bootstrapServers: `127.0.0.1:${kafka.port}`,
    ports: { broker: kafka.port, controller: controllerPort },
    dataDir: kafka.dataDir,
    pid: kafka.pid,
    log: () => kafka.log(),
    stop: () => kafka.stop(),
    kill: () => kafka.kill(),
    [Symbol.asyncDispose]: () => kafka.stop(),
  }
}

/**
 * Starts nodes that know each other, and waits until each of them knows all. They are made anew, on other ports, when another process took one.
 * @throws ToolError with the end of a node's log if it stops or does not answer in time
 */
export async function startNodes(
  choosePorts: () => Promise<readonly number[]>,
  make: (ports: readonly number[]) => KafkaNode[],
): Promise<KafkaNode[]> {
  for (let attempt = 1; ; attempt++) {
    const nodes = make(await choosePorts())
    try {
      await allStarted(nodes)
      await Promise.all(nodes.map((node) => node.untilServing(nodes.length)))
      return nodes
    } catch (error) {
      const taken = nodes.some((node) => /BindException|Address already in use/.test(node.log()))
      await Promise.all(nodes.map((node) => node.stop()))
      if (!taken || attempt === KAFKA_PORT_ATTEMPTS) throw error
    }
  }
}

/** Waits for all, so that none is still on its way when the others are stopped for the one that failed. */
async function allStarted(nodes: readonly KafkaNode[]): Promise<void> {
  const outcomes = await Promise.allSettled(nodes.map((node) => node.start()))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
