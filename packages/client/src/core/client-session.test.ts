import { KafkaError, ProtocolError } from '@millrace/protocol'
import { apiVersionsApi } from '@millrace/protocol/apis/api-versions'
import { describeClusterApi } from '@millrace/protocol/apis/describe-cluster'
import { fetchApi } from '@millrace/protocol/apis/fetch'
import { heartbeatApi } from '@millrace/protocol/apis/heartbeat'
import { produceApi } from '@millrace/protocol/apis/produce'
import { encodeResponseFrame } from '@millrace/protocol/internal'
import { describe, expect, test } from 'vitest'
import { apiVersionsResponse, REQUEST_TIMEOUT_MS, SessionDriver } from '../../test/session-driver.ts'
import { ConnectionError } from '../errors.ts'
import { MAX_AUTHENTICATION_STEPS, MAX_QUEUED_PER_CONNECTION } from '../limits.ts'
import type { Authenticator } from './authenticator.ts'
import { sessionRequest } from './session-request.ts'

describe('negotiation', () => {
  test('comes first; requests that were submitted before wait for it and then go out in order', () => {
    const driver = new SessionDriver()
    driver.heartbeat('early')
    expect(driver.frames).toEqual([])
    driver.connect()
    driver.heartbeat('also early')
    expect(driver.frames.map(({ header }) => header.apiKey)).toEqual([apiVersionsApi.key])
    expect(driver.frames[0]!.header).toMatchObject({ apiVersion: 4, clientId: 'test' })
    driver.answerApiVersions()
    expect(driver.readyCount).toBe(1)
    expect(driver.frames.slice(1).map(({ header }) => [header.apiKey, header.apiVersion, header.correlationId])).toEqual([
      [heartbeatApi.key, heartbeatApi.maxStableVersion, 1],
      [heartbeatApi.key, heartbeatApi.maxStableVersion, 2],
    ])
    expect(driver.session.versions!.finalizedFeatures.get('transaction.version')).toBe(2)
  })

  test('falls back to the version that an older broker names, as KIP-511 has it', () => {
    const driver = new SessionDriver().connect()
    const refusal = apiVersionsResponse({
      errorCode: 35,
      apiKeys: [{ apiKey: apiVersionsApi.key, minVersion: 0, maxVersion: 2 }],
    })
    driver.receive(...encodeResponseFrame(apiVersionsApi, 0, 0, refusal))
    expect(driver.frames[1]!.header).toMatchObject({ apiKey: apiVersionsApi.key, apiVersion: 2, correlationId: 1 })
    driver.answerApiVersions(apiVersionsResponse({ finalizedFeatures: [], finalizedFeaturesEpoch: -1n }))
    expect(driver.session.state).toBe('ready')
  })

  test('does not go round in circles with a broker that refuses the version it named', () => {
    const driver = new SessionDriver().connect()
    const refusal = apiVersionsResponse({
      errorCode: 35,
      apiKeys: [{ apiKey: apiVersionsApi.key, minVersion: 0, maxVersion: 4 }],
    })
    for (let index = 0; index < 10 && driver.closedWith === undefined; index++) {
      driver.receive(...encodeResponseFrame(apiVersionsApi, 0, driver.frames.at(-1)!.header.correlationId, refusal))
    }
    expect(driver.frames.map(({ header }) => header.apiVersion)).toEqual([4, 3, 2, 1, 0])
    expect(driver.closedWith).toMatchObject({ code: 'CONNECTION_FAILED' })
  })

  test('a refusal is a failed connection, with the broker’s error as its cause', () => {
    const driver = new SessionDriver()
    driver.heartbeat('a')
    driver.connect().receive(...encodeResponseFrame(apiVersionsApi, 0, 0, apiVersionsResponse({ errorCode: 42 })))
    expect(driver.settled).toEqual(['a: CONNECTION_FAILED'])
    expect((driver.closedWith as KafkaError).cause).toMatchObject({ code: 'INVALID_REQUEST' })
  })

  test.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'],
    ['SSH', 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n'],
    ['TLS', '\x15\x03\x01\x00\x02\x02\x46'],
    ['SMTP or FTP', '220 mail.example.org ESMTP\r\n'],
  ])('recognises %s at the other end', (name, answer) => {
    const driver = new SessionDriver()
    driver.heartbeat('a')
    driver.connect().receive(Buffer.from(answer, 'latin1'))
    expect(driver.closedWith).toBeInstanceOf(ConnectionError)
    expect(driver.closedWith).toMatchObject({ code: 'NOT_KAFKA', retriable: false, host: 'broker', port: 9092 })
    expect(driver.closedWith!.message).toBe(`broker:9092 answers in ${name}, not in the Kafka protocol`)
    expect(driver.settled).toEqual(['a: NOT_KAFKA'])
  })

  test('an answer that is a frame and nonsense inside is no Kafka either', () => {
    const driver = new SessionDriver().connect()
    driver.receive(Buffer.from([0, 0, 0, 6, 0, 0, 0, 0, 0, 0]))
    expect(driver.closedWith).toMatchObject({ code: 'NOT_KAFKA' })
  })

  test('bytes behind the answer to ApiVersions that nobody asked for are an error, not lost', () => {
    const driver = new SessionDriver().connect()
    const answer = Buffer.concat(encodeResponseFrame(apiVersionsApi, 4, 0, apiVersionsResponse()))
    driver.receive(Buffer.concat([answer, Buffer.from([0, 0])]))
    expect(driver.closedWith).toMatchObject({ code: 'CONNECTION_CLOSED' })
  })

  test('a connection closed at once says what that may mean, and may be tried again', () => {
    const driver = new SessionDriver()
    driver.heartbeat('a')
    driver.connect().session.transportClosed(null)
    driver.perform()
    expect(driver.closedWith).toMatchObject({ code: 'NOT_KAFKA', retriable: true })
    expect(driver.settled).toEqual(['a: NOT_KAFKA'])
  })

  test('a peer that accepts and never answers is given up after the request timeout', () => {
    const driver = new SessionDriver()
    driver.heartbeat('a', 60_000)
    driver.connect()
    expect(driver.session.deadline).toBe(REQUEST_TIMEOUT_MS)
    driver.advance(REQUEST_TIMEOUT_MS - 1)
    expect(driver.closedWith).toBeUndefined()
    driver.advance(1)
    expect(driver.settled).toEqual(['a: REQUEST_TIMED_OUT_LOCALLY'])
    expect(driver.closedWith!.message).toContain('broker:9092')
  })
})

describe('authentication', () => {
  /** Two exchanges, as a SASL mechanism would have. */
  function twoSteps(log: unknown[]): Authenticator {
    const request = { includeClusterAuthorizedOperations: false, endpointType: 1, includeFencedBrokers: false }
    return {
      begin: () => ({ api: describeClusterApi, request }),
      receive: (response) => {
        log.push((response as { clusterId: string }).clusterId)
        return log.length < 2 ? { api: describeClusterApi, request } : null
      },
    }
  }

  const answer = (correlationId: number, clusterId: string): Buffer =>
    Buffer.concat(
      encodeResponseFrame(describeClusterApi, describeClusterApi.maxStableVersion, correlationId, {
        throttleTimeMs: 0,
        errorCode: 0,
        errorMessage: null,
        endpointType: 1,
        clusterId,
        controllerId: 1,
        brokers: [],
        clusterAuthorizedOperations: 0,
      }),
    )

  test('stands between negotiation and the first request', () => {
    const log: unknown[] = []
    const driver = new SessionDriver({ authenticator: twoSteps(log) })
    driver.heartbeat('a')
    driver.ready()
    expect(driver.readyCount).toBe(0)
    driver.receive(answer(1, 'first'))
    driver.receive(answer(2, 'second'))
    expect(log).toEqual(['first', 'second'])
    expect(driver.readyCount).toBe(1)
    expect(driver.frames.at(-1)!.header).toMatchObject({ apiKey: heartbeatApi.key, correlationId: 3 })
  })

  test('its refusal ends the connection, and is not retriable if it says so', () => {
    const authenticator: Authenticator = {
      begin: () => {
        throw new KafkaError('SASL_AUTHENTICATION_FAILED', 'wrong password')
      },
      receive: () => null,
    }
    const driver = new SessionDriver({ authenticator })
    driver.heartbeat('a')
    driver.ready()
    expect(driver.settled).toEqual(['a: CONNECTION_FAILED'])
    expect(driver.closedWith).toMatchObject({ retriable: false, cause: { code: 'SASL_AUTHENTICATION_FAILED' } })
  })

  test('one that never comes to an end is stopped', () => {
    const request = { includeClusterAuthorizedOperations: false, endpointType: 1, includeFencedBrokers: false }
    const step = { api: describeClusterApi, request }
    const driver = new SessionDriver({ authenticator: { begin: () => step, receive: () => step } }).ready()
    for (let id = 1; driver.closedWith === undefined; id++) driver.receive(answer(id, 'again'))
    expect(driver.frames).toHaveLength(1 + MAX_AUTHENTICATION_STEPS)
    expect(driver.closedWith).toMatchObject({ code: 'CONNECTION_FAILED' })
  })
})

describe('requests', () => {
  test('are pipelined up to the limit, and each answer makes room for one more', () => {
    const driver = new SessionDriver({ maxInFlight: 2 }).ready()
    for (const name of ['a', 'b', 'c', 'd']) driver.heartbeat(name)
    expect(driver.session.inFlightCount).toBe(2)
    expect(driver.session.pendingCount).toBe(4)
    driver.receive(driver.heartbeatAnswer(1))
    expect(driver.settled).toEqual(['a: ok'])
    expect(driver.session.inFlightCount).toBe(2)
    driver.receive(Buffer.concat([driver.heartbeatAnswer(2), driver.heartbeatAnswer(3)]))
    driver.receive(driver.heartbeatAnswer(4))
    expect(driver.settled).toEqual(['a: ok', 'b: ok', 'c: ok', 'd: ok'])
    expect(driver.session.pendingCount).toBe(0)
  })

  test('an answer out of order ends the connection: each request fails once', () => {
    const driver = new SessionDriver().ready()
    for (const name of ['a', 'b', 'c']) driver.heartbeat(name)
    driver.receive(driver.heartbeatAnswer(2))
    expect(driver.settled).toEqual(['a: CONNECTION_CLOSED', 'b: CONNECTION_CLOSED', 'c: CONNECTION_CLOSED'])
    expect((driver.closedWith as KafkaError).cause).toBeInstanceOf(ProtocolError)
    expect(driver.closedWith!.message).toContain('correlation id 2 where 1 is next')
  })

  test('an answer that nobody asked for ends the connection', () => {
    const driver = new SessionDriver().ready()
    driver.receive(driver.heartbeatAnswer(1))
    expect(driver.closedWith).toMatchObject({ code: 'CONNECTION_CLOSED' })
  })

  test('an answer that cannot be decoded fails its own request with the reason, and the others with the connection', () => {
    const driver = new SessionDriver().ready()
    driver.heartbeat('a')
    driver.heartbeat('b')
    const cut = driver.heartbeatAnswer(1).subarray(0, -1)
    cut.writeInt32BE(cut.length - 4)
    driver.receive(cut)
    expect(driver.settled).toEqual(['a: CORRUPT_FRAME', 'b: CONNECTION_CLOSED'])
    expect((driver.outcomes[0] as { error: KafkaError }).error.message).toContain('Heartbeat v4 from broker:9092')
  })

  test('a body made by a function is made for the version that was negotiated', () => {
    const driver = new SessionDriver().connect()
    const apiKeys = [{ apiKey: heartbeatApi.key, minVersion: 0, maxVersion: 2 }]
    driver.answerApiVersions(apiVersionsResponse({ apiKeys }))
    const versions: number[] = []
    const body = (version: number) => {
      versions.push(version)
      return { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null }
    }
    driver.submit(sessionRequest(heartbeatApi, body, { deadline: 1e6, timeoutMs: 1e6 }, 'a'))
    driver.submit(sessionRequest(heartbeatApi, body, { deadline: 1e6, timeoutMs: 1e6, maxVersion: 1 }, 'b'))
    expect(versions).toEqual([2, 1])
    expect(driver.frames.slice(1).map(({ header }) => header.apiVersion)).toEqual([2, 1])
  })

  test('one that the broker does not serve, or not in our versions, fails alone and names the API', () => {
    const driver = new SessionDriver().connect()
    const apiKeys = [
      { apiKey: heartbeatApi.key, minVersion: 0, maxVersion: 4 },
      { apiKey: fetchApi.key, minVersion: 90, maxVersion: 95 },
    ]
    driver.answerApiVersions(apiVersionsResponse({ apiKeys }))
    driver.submit(sessionRequest(produceApi, {} as never, { deadline: 1e6, timeoutMs: 1e6 }, 'absent'))
    driver.submit(sessionRequest(fetchApi, {} as never, { deadline: 1e6, timeoutMs: 1e6 }, 'newer'))
    driver.heartbeat('fine')
    expect(driver.settled).toEqual(['absent: UNSUPPORTED_VERSION', 'newer: UNSUPPORTED_VERSION'])
    expect((driver.outcomes[0] as { error: KafkaError }).error.message).toContain('Produce')
    expect((driver.outcomes[1] as { error: KafkaError }).error.message).toMatch(/Fetch.* 90 to 95/)
    expect(driver.session.inFlightCount).toBe(1)
  })

  test('one that cannot be encoded fails alone, and its correlation id is not missed', () => {
    const driver = new SessionDriver().ready()
    const body = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: 'static' }
    driver.submit(sessionRequest(heartbeatApi, body, { deadline: 1e6, timeoutMs: 1e6, maxVersion: 0 }, 'field'))
    const throwing = (): never => {
      throw new TypeError('no body today')
    }
    driver.submit(sessionRequest(heartbeatApi, throwing, { deadline: 1e6, timeoutMs: 1e6 }, 'function'))
    driver.heartbeat('fine')
    expect(driver.settled).toEqual(['field: UNSUPPORTED_FIELD', 'function: REQUEST_NOT_ENCODABLE'])
    driver.receive(driver.heartbeatAnswer(driver.frames.at(-1)!.header.correlationId))
    expect(driver.settled.at(-1)).toBe('fine: ok')
  })

  test('one without an answer is settled when it is written, and does not disturb the order of answers', () => {
    const driver = new SessionDriver().ready()
    driver.heartbeat('a')
    const body = { transactionalId: null, acks: 0, timeoutMs: 1, topicData: [] }
    driver.submit(sessionRequest(produceApi, body, { deadline: 1e6, timeoutMs: 1e6, noResponse: true }, 'fire'))
    driver.heartbeat('b')
    expect(driver.settled).toEqual(['fire: ok'])
    driver.receive(driver.heartbeatAnswer(1)).receive(driver.heartbeatAnswer(3))
    expect(driver.settled).toEqual(['fire: ok', 'a: ok', 'b: ok'])
  })

  test('beyond the limit of the queue they are refused', () => {
    const driver = new SessionDriver().connect()
    for (let index = 0; index < MAX_QUEUED_PER_CONNECTION; index++) driver.heartbeat('q')
    driver.heartbeat('one too many')
    expect(driver.settled).toEqual(['one too many: TOO_MANY_REQUESTS'])
  })
})

describe('deadlines', () => {
  test('one whose caller was in a hurry fails alone; its late answer is dropped and the others go on', () => {
    const driver = new SessionDriver().ready()
    driver.heartbeat('hurried', 100)
    driver.heartbeat('patient')
    driver.advance(100)
    expect(driver.settled).toEqual(['hurried: REQUEST_TIMED_OUT_LOCALLY'])
    driver.receive(driver.heartbeatAnswer(1)).receive(driver.heartbeatAnswer(2))
    expect(driver.settled).toEqual(['hurried: REQUEST_TIMED_OUT_LOCALLY', 'patient: ok'])
    expect(driver.closedWith).toBeUndefined()
  })

  test('no answer within the request timeout ends the connection', () => {
    const driver = new SessionDriver().ready()
    driver.heartbeat('a')
    driver.advance(10)
    driver.heartbeat('b')
    expect(driver.session.deadline).toBe(REQUEST_TIMEOUT_MS)
    driver.advance(REQUEST_TIMEOUT_MS - 10)
    expect(driver.settled).toEqual(['a: REQUEST_TIMED_OUT_LOCALLY', 'b: CONNECTION_CLOSED'])
    expect((driver.outcomes[0] as { error: KafkaError }).error.message).toBe(
      'Heartbeat had no answer from broker:9092 within 1000 ms',
    )
  })

  test('a broker that died under a hurried request is still found out', () => {
    const driver = new SessionDriver().ready()
    driver.heartbeat('hurried', 100)
    driver.advance(100)
    expect(driver.session.deadline).toBe(REQUEST_TIMEOUT_MS)
    driver.advance(REQUEST_TIMEOUT_MS - 100)
    expect(driver.settled).toEqual(['hurried: REQUEST_TIMED_OUT_LOCALLY'])
    expect(driver.closedWith).toMatchObject({ code: 'CONNECTION_CLOSED' })
  })

  test('one may wait longer than the request timeout (JoinGroup does)', () => {
    const driver = new SessionDriver().ready()
    driver.heartbeat('long', 50_000)
    driver.advance(49_999)
    expect(driver.settled).toEqual([])
    driver.advance(1)
    expect(driver.settled).toEqual(['long: REQUEST_TIMED_OUT_LOCALLY'])
    expect(driver.closedWith).toMatchObject({ code: 'CONNECTION_CLOSED' })
  })

  test('one that waits in the queue fails alone', () => {
    const driver = new SessionDriver({ maxInFlight: 1 }).ready()
    driver.heartbeat('a', 500)
    driver.heartbeat('queued', 100)
    driver.advance(100)
    expect(driver.settled).toEqual(['queued: REQUEST_TIMED_OUT_LOCALLY'])
    expect(driver.session.deadline).toBe(500)
    driver.receive(driver.heartbeatAnswer(1))
    expect(driver.settled.at(-1)).toBe('a: ok')
    expect(driver.frames).toHaveLength(2)
  })

  test('an abandoned request is not sent if it waits, and its answer is dropped if it was', () => {
    const driver = new SessionDriver({ maxInFlight: 1 }).ready()
    const sent = driver.heartbeat('sent')
    const queued = driver.heartbeat('queued')
    driver.heartbeat('last')
    driver.session.abandon(sent)
    driver.session.abandon(queued)
    driver.receive(driver.heartbeatAnswer(1))
    driver.receive(driver.heartbeatAnswer(2))
    expect(driver.settled).toEqual(['last: ok'])
    expect(driver.frames).toHaveLength(3)
  })
})

describe('throttling and back-pressure', () => {
  test('after an answer with a throttle time nothing is sent until it is over (KIP-219)', () => {
    const driver = new SessionDriver().ready()
    driver.heartbeat('a')
    driver.receive(driver.heartbeatAnswer(1, 0, 300))
    driver.heartbeat('b')
    expect(driver.session.inFlightCount).toBe(0)
    expect(driver.session.deadline).toBe(300)
    driver.advance(299)
    expect(driver.session.inFlightCount).toBe(0)
    driver.advance(1)
    expect(driver.session.inFlightCount).toBe(1)
  })

  test('while the transport is full nothing is written', () => {
    const driver = new SessionDriver().ready()
    driver.session.writable(false, driver.now)
    driver.heartbeat('a')
    expect(driver.frames).toHaveLength(1)
    driver.session.writable(true, driver.now)
    driver.perform()
    expect(driver.frames).toHaveLength(2)
  })
})

describe('the end', () => {
  test('the transport’s end fails everything once, and later requests at once', () => {
    const driver = new SessionDriver({ maxInFlight: 1 }).ready()
    driver.heartbeat('first')
    driver.receive(driver.heartbeatAnswer(1))
    driver.outcomes.length = 0
    driver.heartbeat('a')
    driver.heartbeat('b')
    driver.session.transportClosed(new Error('read ECONNRESET'))
    driver.perform()
    expect(driver.settled).toEqual(['a: CONNECTION_CLOSED', 'b: CONNECTION_CLOSED'])
    expect(driver.closedWith!.message).toBe('the connection to broker:9092 was closed: read ECONNRESET')
    expect(driver.session.deadline).toBe(Infinity)
    driver.session.transportClosed(null)
    driver.session.received(Buffer.from('late'), 5)
    driver.session.tick(1e9)
    expect(driver.session.drain()).toEqual([])
  })

  test('a broker that hangs up on the first request may expect SASL, and the message says so', () => {
    const driver = new SessionDriver().ready()
    driver.heartbeat('a')
    driver.session.transportClosed(null)
    driver.perform()
    expect(driver.settled).toEqual(['a: CONNECTION_CLOSED'])
    expect(driver.closedWith!.message).toContain('the listener may expect SASL')
  })

  test('close fails everything with the error that it is given', () => {
    const driver = new SessionDriver().ready()
    driver.heartbeat('a')
    driver.session.close(new KafkaError('CLIENT_CLOSED', 'closed'))
    driver.perform()
    expect(driver.settled).toEqual(['a: CLIENT_CLOSED'])
    expect(driver.session.state).toBe('closed')
  })

  test('a transport that never connects says why', () => {
    const driver = new SessionDriver()
    driver.heartbeat('a')
    driver.session.transportClosed(new Error('connect ECONNREFUSED 127.0.0.1:1'))
    driver.perform()
    expect(driver.settled).toEqual(['a: CONNECTION_FAILED'])
    expect(driver.closedWith!.message).toBe('cannot connect to broker:9092: connect ECONNREFUSED 127.0.0.1:1')
  })
})
