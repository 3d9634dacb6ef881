import { freePorts } from './free-port.ts'
import { KafkaNode } from './kafka-node.ts'
import { startNodes } from './real-kafka.ts'

export interface RealKafkaClusterOptions {
  /** How many nodes. Node 1 is the controller as well: it is not to be killed. */
  readonly nodes: number
  /** Properties of a node over the launcher's own. */
  readonly properties?: (nodeId: number) => Readonly<Record<string, string>>
}

const CONTROLLER = 1
/** Many on one machine, for little work: a small heap and the quick compiler. */
const JVM = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']

/** Several Apache Kafkas, each a process (KRaft, PLAINTEXT, ports chosen by the system). Their node ids count from 1. */
export class RealKafkaCluster implements AsyncDisposable {
  readonly #nodes: ReadonlyMap<number, KafkaNode>

  private constructor(nodes: readonly KafkaNode[]) {
    this.#nodes = new Map(nodes.map((node) => [node.nodeId, node]))
  }

  /** Resolves when every node knows all. @throws ToolError with the end of a node's log if it stops or does not answer in time */
  static async start({ nodes: count, properties }: RealKafkaClusterOptions): Promise<RealKafkaCluster> {
    const nodes = await startNodes(
      () => freePorts(count + 1),
      ([controllerPort, ...ports]) =>
        ports.map((port, index) => {
          const controller = { nodeId: CONTROLLER, port: controllerPort! }
          return new KafkaNode({ nodeId: index + 1, port, controller, properties: properties?.(index + 1), jvm: JVM })
        }),
    )
    return new RealKafkaCluster(nodes)
  }

  /** Of the controller, which is always there. */
  get bootstrapServers(): string {
    return `127.0.0.1:${this.#node(CONTROLLER).port}`
  }

  /** What the node has logged so far. */
  log(nodeId: number): string {
    return this.#node(nodeId).log()
  }

  /** SIGKILL; what it had not written is lost. */
  async kill(nodeId: number): Promise<void> {
    await this.#node(nodeId).kill()
  }

  /** Starts a killed node again, on its directory and port. Resolves when it serves. @throws ToolError as `start` */
  async restart(nodeId: number): Promise<void> {
    await this.#node(nodeId).start()
    await this.#node(nodeId).untilServing(1)
  }

  /** Ends all at once and removes their directories: nobody needs what an orderly end would write. */
  async stop(): Promise<void> {
    const nodes = [...this.#nodes.values()]
    await Promise.all(nodes.map((node) => node.kill()))
    await Promise.all(nodes.map((node) => node.stop()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #node(nodeId: number): KafkaNode {
    const node = this.#nodes.get(nodeId)
    if (node === undefined) throw new Error(`there is no node ${nodeId}`)
    return node
  }
}
