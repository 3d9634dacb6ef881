import { ErrorCode, KafkaError } from '@millrace/protocol'
import type { ConsumerGroupHeartbeatResponse } from '@millrace/protocol/apis/consumer-group-heartbeat'
import { assert, describe, expect, test } from 'vitest'
import type { TopicPartition } from '../topic-partition.ts'
import { ConsumerMember } from './consumer-member.ts'
import type { ConsumerMemberEffect } from './consumer-states.ts'
import { regexOf, type ConsumerMemberConfig } from './heartbeat-fields.ts'
import type { TopicSelection } from './membership.ts'

type Kind = ConsumerMemberEffect['kind']
type Effect<Name extends Kind> = Extract<ConsumerMemberEffect, { kind: Name }>

const CONFIG: ConsumerMemberConfig = {
  groupId: 'g',
  groupInstanceId: null,
  groupRemoteAssignor: null,
  rackId: null,
  maxPollIntervalMs: 5_000,
  sessionTimeoutMs: 1_000,
}

/** A member whose coordinator is the test. */
class Bench {
  readonly member: ConsumerMember
  readonly names = new Map([
    ['id-t', 't'],
    ['id-u', 'u'],
  ])
  now = 10_000

  constructor(config: Partial<ConsumerMemberConfig> = {}, selection: TopicSelection = { topics: ['t'] }) {
    this.member = new ConsumerMember(
      { ...CONFIG, ...config },
      'me',
      selection,
      (id) => this.names.get(id),
      { retryBackoffMs: 50, retryBackoffMaxMs: 50 },
      () => 0.5,
    )
  }

  /** The only effect, which must be of this kind. */
  only<Name extends Kind>(kind: Name): Effect<Name> {
    const effects = this.member.effects.splice(0)
    assert.deepEqual(
      effects.map((effect) => effect.kind),
      [kind],
    )
    return effects[0] as Effect<Name>
  }

  kinds(): Kind[] {
    return this.member.effects.splice(0).map((effect) => effect.kind)
  }

  wait(ms: number): void {
    this.now += ms
    this.member.tick(this.now)
  }

  start(): Effect<'heartbeat'> {
    this.member.start(this.now)
    this.member.tick(this.now)
    return this.only('heartbeat')
  }

  answer(
    heartbeat: Effect<'heartbeat'>,
    fields: Partial<ConsumerGroupHeartbeatResponse> & { get?: Record<string, number[]> } = {},
  ): void {
    const { get, ...rest } = fields
    const topicPartitions = Object.entries(get ?? {}).map(([topic, partitions]) => ({ topicId: `id-${topic}`, partitions }))
    this.member.heartbeatAnswered(
      heartbeat.serial,
      {
        throttleTimeMs: 0,
        errorCode: 0,
        errorMessage: null,
        memberId: 'me',
        memberEpoch: 1,
        heartbeatIntervalMs: 300,
        assignment: get === undefined ? null : { topicPartitions },
        ...rest,
      },
      this.now,
    )
  }

  /** Is given these, takes them over and acknowledges. */
  stable(get: Record<string, number[]>, memberEpoch = 1): void {
    this.answer(this.member.state === 'unsubscribed' ? this.start() : this.due(), { get, memberEpoch })
    this.member.assigned(this.only('assign').serial, this.now)
    this.answer(this.due(), { memberEpoch })
    assert.equal(this.member.state, 'stable')
  }

  /** The heartbeat that is due now. */
  due(): Effect<'heartbeat'> {
    this.member.tick(this.now)
    return this.only('heartbeat')
  }

  beat(): Effect<'heartbeat'> {
    this.wait(300)
    return this.only('heartbeat')
  }
}

function t(...partitions: number[]): TopicPartition[] {
  return partitions.map((partition) => ({ topic: 't', partition }))
}

const LOST = new KafkaError('CONNECTION_CLOSED', 'the connection is closed', { retriable: true })

const NOTHING_NEW = {
  rackId: null,
  rebalanceTimeoutMs: -1,
  subscribedTopicNames: null,
  subscribedTopicRegex: null,
  serverAssignor: null,
  topicPartitions: null,
}

describe('joining', () => {
  test('says everything, with epoch 0 and the id that the client chose', () => {
    const bench = new Bench({ rackId: 'r', groupInstanceId: 'i', groupRemoteAssignor: 'range' }, { topics: ['u', 't'] })
    expect(bench.start().request).toEqual({
      groupId: 'g',
      memberId: 'me',
      memberEpoch: 0,
      instanceId: 'i',
      rackId: 'r',
      rebalanceTimeoutMs: 5_000,
      subscribedTopicNames: ['t', 'u'],
      subscribedTopicRegex: null,
      serverAssignor: 'range',
      topicPartitions: [],
    })
    expect(bench.member.identity).toEqual({ memberId: '', generationId: -1 })
  })

  test('takes over what it is given, acknowledges at once, and is stable then', () => {
    const bench = new Bench()
    bench.answer(bench.start(), { get: { t: [1, 0] }, memberEpoch: 3 })
    expect(bench.member.state).toBe('reconciling')
    const assign = bench.only('assign')
    expect(assign).toMatchObject({ partitions: t(0, 1), epoch: 3 })
    bench.member.assigned(assign.serial, bench.now)
    expect(bench.member.state).toBe('acknowledging')
    expect(bench.due().request).toEqual({
      ...NOTHING_NEW,
      groupId: 'g',
      memberId: 'me',
      memberEpoch: 3,
      instanceId: null,
      topicPartitions: [{ topicId: 'id-t', partitions: [0, 1] }],
    })
    expect(bench.member.state).toBe('stable')
    expect(bench.member.identity).toEqual({ memberId: 'me', generationId: 3 })
  })

  test('acknowledges an assignment of nothing, too', () => {
    const bench = new Bench()
    bench.answer(bench.start(), { get: {} })
    bench.member.assigned(bench.only('assign').serial, bench.now)
    expect(bench.due().request.topicPartitions).toEqual([])
  })

  test('sends a pattern to the coordinator, which matches whole names', () => {
    expect(regexOf(/^orders-/i)).toBe('(?i).*(?:^orders-).*')
    const bench = new Bench({}, { pattern: /a|b$/g })
    const { request } = bench.start()
    expect([request.subscribedTopicNames, request.subscribedTopicRegex]).toEqual([[], '.*(?:a|b$).*'])
  })
})

describe('heartbeats', () => {
  test('follow the interval that the coordinator says, and tell only what is new', () => {
    const bench = new Bench()
    bench.stable({ t: [0] })
    bench.wait(299)
    expect(bench.kinds()).toEqual([])
    bench.wait(1)
    const heartbeat = bench.only('heartbeat')
    expect(heartbeat.request).toMatchObject(NOTHING_NEW)
    bench.answer(heartbeat, { heartbeatIntervalMs: 500 })
    bench.wait(499)
    expect(bench.kinds()).toEqual([])
    bench.wait(1)
    bench.only('heartbeat')
  })

  test('one at a time; without an answer for a session it is a zombie', () => {
    const bench = new Bench()
    bench.stable({ t: [0] })
    bench.beat()
    bench.wait(300)
    expect(bench.kinds()).toEqual([])
    bench.wait(400)
    const [lookup, zombie] = bench.member.effects.splice(0)
    expect(lookup!.kind).toBe('coordinator-lost')
    expect(zombie).toMatchObject({ event: { cause: 'session', silentMs: 1_000 } })
    expect(bench.member.owned).toEqual(t(0))
  })

  test('a session that turns out longer or shorter counts from the last answer on', () => {
    const bench = new Bench()
    bench.stable({ t: [0] })
    bench.beat()
    bench.wait(300)
    bench.member.sessionLearned(1_500)
    bench.wait(400)
    expect(bench.kinds()).toEqual([])
    bench.member.sessionLearned(1_200)
    expect(bench.member.deadline).toBe(bench.now + 200)
    bench.wait(200)
    expect(bench.member.effects.splice(0)[1]).toMatchObject({ event: { cause: 'session', silentMs: 1_200 } })
  })

  test.each([ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE])(
    'after error %d look the coordinator up, and say everything again after a backoff',
    (errorCode) => {
      const bench = new Bench()
      bench.stable({ t: [0] })
      bench.answer(bench.beat(), { errorCode })
      bench.only('coordinator-lost')
      expect(bench.member.deadline).toBe(bench.now + 50)
      bench.wait(50)
      expect(bench.only('heartbeat').request).toMatchObject({
        memberEpoch: 1,
        subscribedTopicNames: ['t'],
        rebalanceTimeoutMs: 5_000,
        topicPartitions: [{ topicId: 'id-t', partitions: [0] }],
      })
      expect([bench.member.state, bench.member.owned]).toEqual(['stable', t(0)])
    },
  )

  test('are retried after a backoff when they are lost or the coordinator loads', () => {
    const bench = new Bench()
    bench.stable({ t: [0] })
    const error = new KafkaError('CONNECTION_CLOSED', 'cut', { retriable: true })
    bench.member.heartbeatFailed(bench.beat().serial, error, bench.now)
    bench.only('coordinator-lost')
    bench.wait(49)
    expect(bench.kinds()).toEqual([])
    bench.wait(1)
    bench.answer(bench.only('heartbeat'), { errorCode: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS })
    expect(bench.kinds()).toEqual([])
    bench.wait(50)
    bench.only('heartbeat')
  })

  test('tell of another subscription at once, and unset a pattern', () => {
    const bench = new Bench({}, { pattern: /t/ })
    bench.stable({ t: [0] })
    bench.member.subscribe({ topics: ['u'] }, bench.now)
    expect(bench.due().request).toMatchObject({ ...NOTHING_NEW, subscribedTopicNames: ['u'], subscribedTopicRegex: '' })
  })

  test.each([
    'GROUP_AUTHORIZATION_FAILED',
    'GROUP_MAX_SIZE_REACHED',
    'UNSUPPORTED_ASSIGNOR',
    'INVALID_REGULAR_EXPRESSION',
    'INVALID_REQUEST',
    'UNRELEASED_INSTANCE_ID',
  ] as const)('%s is final: the error names the group and says what the coordinator said', (code) => {
    const bench = new Bench()
    bench.answer(bench.start(), { errorCode: ErrorCode[code], errorMessage: 'because' })
    const [lose, failed] = bench.member.effects.splice(0)
    expect(lose!.kind).toBe('lose')
    expect((failed as Effect<'failed'>).error).toMatchObject({ code })
    expect((failed as Effect<'failed'>).error.message).toMatch(/group g.*because/)
    expect([bench.member.state, bench.member.deadline]).toEqual(['fatal', Infinity])
  })

  test('FENCED_INSTANCE_ID: another member has the name; this one is a zombie', () => {
    const bench = new Bench({ groupInstanceId: 'i' })
    bench.stable({ t: [0] })
    bench.answer(bench.beat(), { errorCode: ErrorCode.FENCED_INSTANCE_ID })
    expect(bench.kinds()).toEqual(['zombie', 'lose', 'failed'])
  })

  test('a broker without KIP-848 is told from a failure, whether it or the client notices', () => {
    const noticed = new Bench()
    noticed.member.heartbeatFailed(noticed.start().serial, new KafkaError('UNSUPPORTED_VERSION', 'not served'), noticed.now)
    const refused = new Bench()
    refused.answer(refused.start(), { errorCode: ErrorCode.UNSUPPORTED_VERSION })
    for (const bench of [noticed, refused]) {
      const failed = bench.member.effects.splice(0).at(-1) as Effect<'failed'>
      expect(failed.error).toMatchObject({
        code: 'UNSUPPORTED_VERSION',
        message: expect.stringMatching(/KIP-848.*groupProtocol 'classic'/) as string,
      })
    }
  })

  test('a topic that may not be read is told once, and asked for again', () => {
    const bench = new Bench()
    bench.answer(bench.start(), { errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED })
    expect(bench.only('topics-refused').error.code).toBe('TOPIC_AUTHORIZATION_FAILED')
    bench.wait(50)
    bench.answer(bench.only('heartbeat'), { errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED })
    expect(bench.kinds()).toEqual([])
  })
})

describe('reconciling', () => {
  test('gives up first, tells so by what it has, and heartbeats meanwhile; what it keeps is not touched', () => {
    const bench = new Bench()
    bench.stable({ t: [0, 1] })
    bench.answer(bench.beat(), { get: { t: [1, 2] }, memberEpoch: 1 })
    const revoke = bench.only('revoke')
    expect(revoke.partitions).toEqual(t(0))
    expect(bench.member.owned).toEqual(t(0, 1))
    const meanwhile = bench.beat()
    expect(meanwhile.request.topicPartitions).toBeNull()
    bench.answer(meanwhile)
    bench.member.revoked(revoke.serial)
    const nothing = bench.only('assign')
    expect(nothing.partitions).toEqual([])
    bench.member.assigned(nothing.serial, bench.now)
    const acknowledgement = bench.due()
    expect(acknowledgement.request.topicPartitions).toEqual([{ topicId: 'id-t', partitions: [1] }])
    expect(bench.kinds()).toEqual([])
    bench.answer(acknowledgement)
    const assign = bench.only('assign')
    expect([assign.partitions, bench.member.owned]).toEqual([t(2), t(1, 2)])
    bench.member.assigned(assign.serial, bench.now)
    expect(bench.due().request.topicPartitions).toEqual([{ topicId: 'id-t', partitions: [1, 2] }])
  })

  test('an assignment that comes meanwhile is next', () => {
    const bench = new Bench()
    bench.stable({ t: [0, 1] })
    bench.answer(bench.beat(), { get: { t: [1] } })
    const revoke = bench.only('revoke')
    bench.answer(bench.beat(), { get: { t: [1, 5] }, memberEpoch: 2 })
    expect(bench.kinds()).toEqual([])
    bench.member.revoked(revoke.serial)
    bench.member.assigned(bench.only('assign').serial, bench.now)
    const acknowledgement = bench.due()
    expect(acknowledgement.request.topicPartitions).toEqual([{ topicId: 'id-t', partitions: [1] }])
    bench.answer(acknowledgement, { memberEpoch: 2 })
    expect(bench.only('assign')).toMatchObject({ partitions: t(5), epoch: 2 })
  })

  test('what is being taken over is reported as ours, when everything has to be said again', () => {
    const bench = new Bench()
    bench.stable({ t: [0] })
    bench.answer(bench.beat(), { get: { t: [0, 1] } })
    bench.only('assign')
    bench.answer(bench.beat(), { errorCode: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS })
    bench.wait(50)
    expect(bench.only('heartbeat').request.topicPartitions).toEqual([{ topicId: 'id-t', partitions: [0, 1] }])
  })

  test('a topic that was made anew is kept by its name while something else is given up', () => {
    const bench = new Bench()
    bench.stable({ t: [0], u: [0, 1] })
    bench.names.delete('id-t')
    bench.names.set('id-t2', 't')
    bench.answer(bench.beat(), { get: { t2: [0], u: [0] } })
    const revoke = bench.only('revoke')
    expect(revoke.partitions).toEqual([{ topic: 'u', partition: 1 }])
    bench.member.revoked(revoke.serial)
    bench.member.assigned(bench.only('assign').serial, bench.now)
    expect(bench.member.owned).toEqual([...t(0), { topic: 'u', partition: 0 }])
    const acknowledgement = bench.due()
    expect(acknowledgement.request.topicPartitions).toEqual([
      { topicId: 'id-t2', partitions: [0] },
      { topicId: 'id-u', partitions: [0] },
    ])
    // It is not assigned a second time.
    bench.answer(acknowledgement)
    expect([bench.kinds(), bench.member.state]).toEqual([[], 'stable'])
  })

  test('a partition is owned of the topic that was assigned, not of one that has its name meanwhile', () => {
    const bench = new Bench()
    bench.stable({ t: [0] })
    expect([bench.member.owns('id-t', 0), bench.member.owns('id-t', 1), bench.member.owns('id-t2', 0)]).toEqual([
      true,
      false,
      false,
    ])
    bench.names.set('id-t2', 't')
    bench.answer(bench.beat(), { get: { t2: [0] } })
    expect(bench.only('assign').partitions).toEqual([])
    expect([bench.member.owns('id-t', 0), bench.member.owns('id-t2', 0)]).toEqual([false, true])
  })

  test('nothing is taken over while a heartbeat that does not report it is on its way', () => {
    const bench = new Bench()
    bench.answer(bench.start(), { get: { new: [3] } })
    const effects = bench.member.effects.splice(0)
    bench.member.assigned((effects.at(-1) as Effect<'assign'>).serial, bench.now)
    const acknowledgement = bench.due()
    bench.names.set('id-new', 'new')
    bench.member.namesChanged(bench.now)
    expect(bench.kinds()).toEqual([])
    bench.answer(acknowledgement, { get: {} })
    expect([bench.kinds(), bench.member.owned, bench.member.state]).toEqual([[], [], 'acknowledging'])
  })

  test.each([
    [
      'its answer was lost',
      (bench: Bench, { serial }: Effect<'heartbeat'>) => bench.member.heartbeatFailed(serial, LOST, bench.now),
    ],
    [
      'the coordinator moves',
      (bench: Bench, beat: Effect<'heartbeat'>) => bench.answer(beat, { errorCode: ErrorCode.NOT_COORDINATOR }),
    ],
  ] as const)(
    'nothing is taken over after a heartbeat that did not report it, when %s, before the next is answered',
    (_, fail) => {
      const bench = new Bench()
      bench.answer(bench.start(), { get: { new: [3] } })
      bench.member.assigned((bench.member.effects.splice(0).at(-1) as Effect<'assign'>).serial, bench.now)
      fail(bench, bench.due())
      expect(bench.kinds()).toEqual(['coordinator-lost'])
      bench.names.set('id-new', 'new')
      // The coordinator may have given it to another member, as this one did not report it.
      bench.member.namesChanged(bench.now)
      expect([bench.kinds(), bench.member.owned]).toEqual([[], []])
      bench.wait(50)
      const again = bench.only('heartbeat')
      expect(again.request.topicPartitions).toEqual([])
      bench.answer(again, { get: { new: [3] } })
      expect(bench.only('assign').partitions).toEqual([{ topic: 'new', partition: 3 }])
    },
  )

  test('the same assignment again changes nothing', () => {
    const bench = new Bench()
    bench.stable({ t: [0] })
    bench.answer(bench.beat(), { get: { t: [0] } })
    expect([bench.kinds(), bench.member.state]).toEqual([[], 'stable'])
  })

  test('a topic without a name waits for metadata; the others are taken over', () => {
    const bench = new Bench()
    bench.answer(bench.start(), { get: { t: [0], new: [3] } })
    const [resolve, assign] = bench.member.effects.splice(0)
    expect([resolve!.kind, bench.member.unresolved]).toEqual(['resolve-topics', ['id-new']])
    expect(assign).toMatchObject({ kind: 'assign', partitions: t(0) })
    bench.member.assigned((assign as Effect<'assign'>).serial, bench.now)
    bench.member.tick(bench.now)
    bench.answer(bench.only('heartbeat'))
    expect([bench.member.state, bench.kinds()]).toEqual(['reconciling', ['resolve-topics']])
    bench.names.set('id-new', 'new')
    bench.member.namesChanged(bench.now)
    expect(bench.only('assign').partitions).toEqual([{ topic: 'new', partition: 3 }])
  })

  test('what is owned keeps its name when metadata forgets the topic', () => {
    const bench = new Bench()
    bench.stable({ t: [0], u: [0] })
    bench.names.clear()
    bench.answer(bench.beat(), { get: { u: [0] } })
    expect(bench.only('revoke').partitions).toEqual(t(0))
  })
})

describe('fencing', () => {
  test.each(['UNKNOWN_MEMBER_ID', 'FENCED_MEMBER_EPOCH', 'GROUP_ID_NOT_FOUND'] as const)(
    '%s loses everything, and joins again with epoch 0 once the listener knows',
    (code) => {
      const bench = new Bench()
      bench.stable({ t: [0] }, 4)
      bench.answer(bench.beat(), { errorCode: ErrorCode[code] })
      const [zombie, lose] = bench.member.effects.splice(0)
      expect(zombie).toMatchObject({ kind: 'zombie', event: { cause: 'fenced' } })
      expect([bench.member.state, bench.member.owned, bench.member.identity.generationId]).toEqual(['fenced', [], -1])
      bench.wait(1_000)
      expect(bench.kinds()).toEqual([])
      bench.member.released((lose as Effect<'lose'>).serial, bench.now)
      expect(bench.due().request).toMatchObject({
        memberId: 'me',
        memberEpoch: 0,
        subscribedTopicNames: ['t'],
        topicPartitions: [],
      })
    },
  )

  test('GROUP_ID_NOT_FOUND is final for who joins: the group cannot become one of this protocol', () => {
    const bench = new Bench()
    bench.answer(bench.start(), { errorCode: ErrorCode.GROUP_ID_NOT_FOUND, errorMessage: 'online upgrade is disabled' })
    const { error } = bench.member.effects.splice(0).at(-1) as Effect<'failed'>
    expect(error).toMatchObject({ code: 'GROUP_ID_NOT_FOUND', message: expect.stringContaining('online upgrade is disabled') })
  })

  test('in the middle of a reconciliation makes its end mean nothing', () => {
    const bench = new Bench()
    bench.stable({ t: [0, 1] })
    bench.answer(bench.beat(), { get: { t: [1] } })
    const revoke = bench.only('revoke')
    bench.answer(bench.beat(), { errorCode: ErrorCode.FENCED_MEMBER_EPOCH })
    const lose = bench.member.effects.splice(0).at(-1) as Effect<'lose'>
    bench.member.revoked(revoke.serial)
    expect(bench.kinds()).toEqual([])
    bench.member.released(lose.serial, bench.now)
    bench.wait(50)
    bench.answer(bench.only('heartbeat'), { get: { t: [7] }, memberEpoch: 9 })
    expect(bench.only('assign')).toMatchObject({ partitions: t(7), epoch: 9 })
  })

  test('an answer to a heartbeat of before means nothing', () => {
    const bench = new Bench()
    bench.stable({ t: [0] })
    const old = bench.beat()
    bench.member.setPollDeadline(bench.now + 1, bench.now)
    bench.wait(1)
    bench.kinds()
    bench.answer(old, { errorCode: ErrorCode.UNKNOWN_MEMBER_ID })
    expect([bench.member.state, bench.kinds()]).toEqual(['stale', []])
  })
})

describe('a commit that is refused', () => {
  test('for a stale epoch may be tried again with the one that the next heartbeat brings, which goes out at once', () => {
    const bench = new Bench()
    bench.stable({ t: [0] })
    expect(bench.member.refused(ErrorCode.STALE_MEMBER_EPOCH, bench.now)).toBe('retry')
    bench.answer(bench.due(), { memberEpoch: 2 })
    expect(bench.member.identity.generationId).toBe(2)
  })

  test('for another reason, or out of the group, is final', () => {
    const bench = new Bench()
    expect(bench.member.refused(ErrorCode.STALE_MEMBER_EPOCH, bench.now)).toBe('final')
    bench.stable({ t: [0] })
    expect(bench.member.refused(ErrorCode.UNKNOWN_MEMBER_ID, bench.now)).toBe('final')
    bench.due()
  })
})

describe('an application that asks for nothing', () => {
  test.each([
    [null, -1],
    ['i', -2],
  ])('costs the membership at its deadline (instance id %o: epoch %d); it joins again when it asks', (groupInstanceId, epoch) => {
    const bench = new Bench({ groupInstanceId })
    bench.stable({ t: [0] })
    bench.member.setPollDeadline(bench.now + 200, bench.now)
    expect(bench.member.deadline).toBe(bench.now + 200)
    bench.wait(200)
    const [zombie, leave, lose] = bench.member.effects.splice(0)
    expect(zombie).toMatchObject({ event: { cause: 'poll' } })
    expect(leave).toMatchObject({ kind: 'leave', request: { ...NOTHING_NEW, memberId: 'me', memberEpoch: epoch } })
    expect([bench.member.state, bench.member.owned, bench.member.deadline]).toEqual(['stale', [], Infinity])
    bench.member.setPollDeadline(Infinity, bench.now)
    bench.member.tick(bench.now)
    expect(bench.kinds()).toEqual([])
    bench.member.released((lose as Effect<'lose'>).serial, bench.now)
    expect(bench.due().request.memberEpoch).toBe(0)
  })
})

describe('leaving', () => {
  test.each([
    [null, 'default', -1],
    ['i', 'default', -2],
    ['i', 'leave', -1],
    ['i', 'remain', -2],
  ] as const)('instance id %o, %s: epoch %d', (groupInstanceId, operation, epoch) => {
    const bench = new Bench({ groupInstanceId })
    bench.stable({ t: [0] })
    bench.member.prepareLeave()
    bench.answer(bench.beat(), { get: { t: [0, 1] } })
    expect(bench.kinds()).toEqual([])
    bench.member.leave(operation)
    expect(bench.only('leave').request).toMatchObject({ memberId: 'me', memberEpoch: epoch, instanceId: groupInstanceId })
    expect([bench.member.state, bench.member.deadline]).toEqual(['leaving', Infinity])
  })

  test('with an application that asks for nothing any more, only heartbeats are due', () => {
    const bench = new Bench()
    bench.stable({ t: [0] })
    bench.member.setPollDeadline(bench.now + 1, bench.now)
    bench.member.prepareLeave()
    bench.wait(1)
    expect(bench.kinds()).toEqual([])
    expect(bench.member.deadline).toBeGreaterThan(bench.now)
  })

  test('what was being taken over is reported as ours until the listener is told', () => {
    const bench = new Bench()
    bench.stable({ t: [0] })
    bench.answer(bench.beat(), { get: { t: [0, 1] } })
    bench.only('assign')
    const owned = [{ topicId: 'id-t', partitions: [0, 1] }]
    const before = bench.beat()
    expect(before.request.topicPartitions).toEqual(owned)
    bench.answer(before)
    bench.member.prepareLeave()
    // Another member is to have it.
    const leaving = bench.beat()
    expect(leaving.request.topicPartitions).toBeNull()
    bench.answer(leaving, { errorCode: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS })
    bench.wait(50)
    expect(bench.only('heartbeat').request.topicPartitions).toEqual(owned)
  })

  test('a dynamic member that is to remain says nothing', () => {
    const bench = new Bench()
    bench.stable({ t: [0] })
    bench.member.leave('remain')
    expect(bench.kinds()).toEqual([])
  })

  test('fenced while the listener is told, it is not in the group any more, and says nothing', () => {
    const bench = new Bench()
    bench.stable({ t: [0] })
    bench.member.prepareLeave()
    bench.answer(bench.beat(), { errorCode: ErrorCode.UNKNOWN_MEMBER_ID })
    bench.kinds()
    bench.member.leave('default')
    expect(bench.kinds()).toEqual([])
  })
})
