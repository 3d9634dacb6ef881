import { freePorts, KAFKA_VERSION, run, singleNodeProperties } from '@millrace/testkit'
import type { Provider, StartOptions } from './provider.ts'

/** The image that is asked for, and the one that container/docker-image.sh builds where no registry can be reached. */
const wanted: string = process.env['MILLRACE_KAFKA_IMAGE'] ?? `apache/kafka:${KAFKA_VERSION}`
const builtHere = `millrace/kafka:${KAFKA_VERSION}`

/** The container's own addresses. */
const INSIDE = { listener: ':9092', controllerListener: ':9093', controller: 'localhost:9093' }

const START_LIMIT_MS = 120_000
const PULL_LIMIT_MS = 300_000

let image: string | undefined

/** A broker in a container, by the testcontainers package. */
export const container: Provider = {
  name: 'a container',
  available: async () => {
    const info = await run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeoutMs: 20_000 }).catch(() => undefined)
    if (info === undefined) return 'no docker on the PATH'
    if (info.exitCode !== 0) return 'no Docker daemon answers'
    for (const candidate of [wanted, builtHere]) {
      const known = await run('docker', ['image', 'inspect', candidate])
      if (known.exitCode === 0) image ??= candidate
    }
    if (image !== undefined) return undefined
    const pulled = await run('docker', ['pull', '-q', wanted], { timeoutMs: PULL_LIMIT_MS }).catch(() => undefined)
    if (pulled?.exitCode !== 0)
      return `image ${wanted} is not here and cannot be pulled (integration/container/docker-image.sh builds one)`
    image = wanted
    return undefined
  },
  start: async ({ properties = {} }: StartOptions = {}) => {
    // Its reaper is another image to pull, for containers of tests that die; ours are stopped with their suite.
    process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true'
    const { GenericContainer, Wait } = await import('testcontainers')
    // The broker tells clients its address, so the outer port must be known before it starts.
    const [port] = await freePorts(1)
    const started = await new GenericContainer(image ?? wanted)
      .withEnvironment(environmentOf({ ...singleNodeProperties({ ...INSIDE, advertised: `127.0.0.1:${port}` }), ...properties }))
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

/** `num.partitions` as the image wants it: `KAFKA_NUM_PARTITIONS`. */
function environmentOf(properties: Readonly<Record<string, string>>): Record<string, string> {
  const name = (key: string): string =>
    `KAFKA_${key.replaceAll('_', '__').replaceAll('-', '___').replaceAll('.', '_').toUpperCase()}`
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [name(key), value]))
}
