import { spawn } from 'node:child_process'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Broker } from '@millrace/broker'
import { KafkaError } from '@millrace/protocol'
import { describeClusterApi } from '@millrace/protocol/apis/describe-cluster'
import { afterEach, describe, expect, test } from 'vitest'
import {
  connectionCloseChannel,
  connectionOpenChannel,
  requestEndChannel,
  requestStartChannel,
  type ConnectionOpenMessage,
  type RequestEndMessage,
} from '../src/diagnostics.ts'
import { ClusterClient } from '../src/cluster-client.ts'
import type { BootstrapError } from '../src/errors.ts'

const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

async function addressOf(server: Server): Promise<string> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function bootstrapFailure(bootstrapServers: string): Promise<BootstrapError> {
  await using client = new ClusterClient({ bootstrapServers, requestTimeoutMs: 200, defaultApiTimeoutMs: 600 })
  try {
    await client.connect()
  } catch (error) {
    return error as BootstrapError
  }
  throw new Error('connected')
}

const describeRequest = { includeClusterAuthorizedOperations: false, endpointType: 1, includeFencedBrokers: false }

describe('what is no broker', () => {
  test('an HTTP server', async () => {
    const address = await addressOf(createHttpServer())
    const error = await bootstrapFailure(address)
    expect(error).toMatchObject({ code: 'BOOTSTRAP_FAILED', retriable: false })
    expect(error.message).toContain(`${address} answers in HTTP, not in the Kafka protocol`)
  })

  test('a server that accepts and never answers', async () => {
    const address = await addressOf(createServer((socket) => socket.resume()))
    const error = await bootstrapFailure(address)
    expect(error.attempts[0]).toMatchObject({ address, error: { code: 'REQUEST_TIMED_OUT_LOCALLY' } })
  })

  test('a server that closes at once', async () => {
    const address = await addressOf(createServer((socket) => socket.destroy()))
    const error = await bootstrapFailure(address)
    expect(error.attempts[0]).toMatchObject({ address, error: { code: 'NOT_KAFKA' } })
  })

  test('a host that does not exist', async () => {
    const error = await bootstrapFailure('no-such-host.invalid:9092')
    expect(error.message).toContain('unknown host no-such-host.invalid')
  })
})

describe('the embedded broker', () => {
  test('answers; and what happens is on the diagnostics channels while somebody listens', async () => {
    await using broker = await Broker.start({ port: 0 })
    const opened: ConnectionOpenMessage[] = []
    const ended: RequestEndMessage[] = []
    let [started, closed] = [0, 0]
    const onOpen = (message: unknown): void => void opened.push(message as ConnectionOpenMessage)
    const onEnd = (message: unknown): void => void ended.push(message as RequestEndMessage)
    const onStart = (): void => void started++
    const onClose = (): void => void closed++
    connectionOpenChannel.subscribe(onOpen)
    connectionCloseChannel.subscribe(onClose)
    requestStartChannel.subscribe(onStart)
    requestEndChannel.subscribe(onEnd)
    try {
      await using client = new ClusterClient({ bootstrapServers: broker.bootstrapServers, clientId: 'watched' })
      const response = await client.send(describeClusterApi, describeRequest, 'any')
      expect(response.clusterId).toBe(broker.clusterId)
      await client.close()
      expect(opened.map(({ clientId, role, address }) => [clientId, role, address])).toContainEqual([
        'watched',
        'main',
        broker.bootstrapServers,
      ])
      expect(ended.map(({ api, error }) => [api, error])).toEqual([
        ['Metadata', null],
        ['DescribeCluster', null],
      ])
      expect(ended.every(({ version, durationMs }) => version >= 0 && durationMs >= 0)).toBe(true)
      expect([started, closed]).toEqual([2, opened.length])
    } finally {
      connectionOpenChannel.unsubscribe(onOpen)
      connectionCloseChannel.unsubscribe(onClose)
      requestStartChannel.unsubscribe(onStart)
      requestEndChannel.unsubscribe(onEnd)
    }
  })

  test('may stop and come back at the same port: the call that was made in between succeeds', async () => {
    const first = await Broker.start({ port: 0 })
    await using client = new ClusterClient({ bootstrapServers: first.bootstrapServers })
    await client.connect()
    await first.close()
    const call = client.send(describeClusterApi, describeRequest, 'any')
    await using second = await Broker.start({ port: first.port })
    expect((await call).clusterId).toBe(second.clusterId)
  })

  test('a thousand calls at once go over one connection', async () => {
    await using broker = await Broker.start({ port: 0 })
    await using client = new ClusterClient({ bootstrapServers: broker.bootstrapServers })
    const calls = Array.from({ length: 1_000 }, () => client.send(describeClusterApi, describeRequest, 'any'))
    const responses = await Promise.all(calls)
    expect(new Set(responses.map(({ clusterId }) => clusterId))).toEqual(new Set([broker.clusterId]))
  })
})

test('a process ends by itself once its client is closed, also with calls under way', async () => {
  await using broker = await Broker.start({ port: 0 })
  const script = `
    import { ClusterClient } from '@millrace/client/internal'
    const client = new ClusterClient({ bootstrapServers: process.argv[1] })
    await client.connect()
    const waiting = client.waitForTopic('never').catch((error) => console.log(error.code))
    await client.close()
    await waiting
  `
  const child = spawn(
    process.execPath,
    ['--conditions=@millrace/source', '--input-type=module', '-e', script, broker.bootstrapServers],
    {
      cwd: fileURLToPath(new URL('../../admin', import.meta.url)),
    },
  )
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect([code, output]).toEqual([0, 'CLIENT_CLOSED\n'])
})

test('errors are KafkaErrors wherever they come from', async () => {
  expect(await bootstrapFailure('127.0.0.1:1')).toBeInstanceOf(KafkaError)
})
