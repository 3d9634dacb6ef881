import { freePorts, KAFKA_VERSION, run } from '@millrace/testkit'
import { GenericContainer, Wait } from 'testcontainers'
import type { Provider, StartOptions } from './provider.ts'

/** An image that takes the KAFKA_* variables of apache/kafka; container/docker-image.sh builds such a one without pulling. */
const image: string = process.env['MILLRACE_KAFKA_IMAGE'] ?? `apache/kafka:${KAFKA_VERSION}`

const START_LIMIT_MS = 120_000

/** A broker in a container, by the testcontainers package. */
export const container: Provider = {
  name: `container of ${image}`,
  available: async () => {
    const info = await run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeoutMs: 20_000 }).catch(() => undefined)
    if (info === undefined) return 'no docker on the PATH'
    if (info.exitCode !== 0) return 'no Docker daemon answers'
    const known = await run('docker', ['image', 'inspect', image])
    if (known.exitCode === 0) return undefined
    const pulled = await run('docker', ['pull', '-q', image], { timeoutMs: 300_000 })
    return pulled.exitCode === 0
      ? undefined
      : `image ${image} is neither here nor can it be pulled (integration/container/docker-image.sh builds one)`
  },
  start: async ({ properties = {} }: StartOptions = {}) => {
    // The broker tells clients its address, so the outer port must be known before it starts.
    const [port] = await freePorts(1)
    const started = await new GenericContainer(image)
      .withEnvironment(environmentOf({ ...defaults(port!), ...properties }))
      .withExposedPorts({ container: 9092, host: port! })
      .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
      .withStartupTimeout(START_LIMIT_MS)
      .start()
    return {
      bootstrapServers: `127.0.0.1:${port}`,
      stop: async () => {
        await started.stop()
      },
    }
  },
}

function defaults(port: number): Record<string, string> {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': '1@localhost:9093',
    listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
  }
}

/** `num.partitions` as the image wants it: `KAFKA_NUM_PARTITIONS`. */
function environmentOf(properties: Readonly<Record<string, string>>): Record<string, string> {
  const name = (key: string): string =>
    `KAFKA_${key.replaceAll('_', '__').replaceAll('-', '___').replaceAll('.', '_').toUpperCase()}`
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [name(key), value]))
}
