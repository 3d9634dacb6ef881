import { ErrorCode, KafkaError } from '@millrace/protocol'
import { describe, expect, test } from 'vitest'
import { ClassicBench, layouts, t } from '../../test/classic-bench.ts'
import { cooperativeStickyAssignor } from '../assignors/cooperative-sticky.ts'
import { rangeAssignor } from '../assignors/range.ts'
import { decodeAssignment, decodeSubscription, encodeSubscription } from './consumer-protocol.ts'

describe('joining', () => {
  test('takes the member id that it is given and joins again with it', () => {
    const bench = new ClassicBench()
    bench.member.start(bench.now)
    const first = bench.only('join')
    expect(first.request).toMatchObject({
      groupId: 'g',
      memberId: '',
      rebalanceTimeoutMs: 5_000,
      sessionTimeoutMs: 1_000,
      protocolType: 'consumer',
    })
    expect(first.timeoutMs).toBe(10_000)
    bench.answerJoin(first, { errorCode: ErrorCode.MEMBER_ID_REQUIRED, memberId: 'given' })
    expect(bench.only('join').request.memberId).toBe('given')
  })

  test('as leader counts partitions, assigns to all, and syncs that', () => {
    const bench = new ClassicBench()
    bench.member.start(bench.now)
    const metadata = encodeSubscription({ topics: ['t'], userData: null, ownedPartitions: [], generationId: -1, rackId: null })
    const members = ['a', 'me'].map((memberId) => ({ memberId, groupInstanceId: null, metadata }))
    bench.answerJoin(bench.only('join'), { leader: 'me', members })
    const count = bench.only('describe-topics')
    expect(count.topics).toEqual(['t'])
    bench.member.topicsDescribed(count.serial, layouts({ t: 3 }), bench.now)
    const { assignments } = bench.only('sync').request
    expect(assignments.map(({ memberId, assignment }) => [memberId, decodeAssignment(assignment)])).toEqual([
      ['a', t(0, 1)],
      ['me', t(2)],
    ])
  })

  test('as a leader that is told to skip the assignment syncs none, and still watches', () => {
    const bench = new ClassicBench([rangeAssignor], { groupInstanceId: 'i' })
    bench.member.start(bench.now)
    bench.answerJoin(bench.only('join'), { leader: 'me', skipAssignment: true })
    const count = bench.only('describe-topics')
    bench.member.topicsDescribed(count.serial, layouts({ t: 3 }), bench.now)
    const sync = bench.only('sync')
    expect(sync.request.assignments).toEqual([])
    bench.answerSync(sync, t(0))
    bench.kinds()
    bench.member.topicsSeen(layouts({ t: 4 }), bench.now)
    expect(bench.only('revoke').partitions).toEqual(t(0))
  })

  test('as a leader that comes back in the same generation misses no partitions that were added while it was away', () => {
    const bench = new ClassicBench([rangeAssignor], { groupInstanceId: 'i' })
    const join = (partitionCount: number, skipAssignment: boolean): void => {
      bench.answerJoin(bench.only('join'), { leader: 'me', skipAssignment })
      bench.member.topicsDescribed(bench.only('describe-topics').serial, layouts({ t: partitionCount }), bench.now)
      bench.answerSync(bench.only('sync'), t(0, 1, 2))
      bench.only('assigned')
    }
    bench.member.start(bench.now)
    join(3, false)
    bench.member.setPollDeadline(bench.now, bench.now)
    bench.wait(0)
    bench.kinds()
    bench.member.setPollDeadline(Infinity, bench.now)
    join(4, true)
    bench.member.topicsSeen(layouts({ t: 4 }), bench.now)
    expect(bench.only('revoke').partitions).toEqual(t(0, 1, 2))
  })

  test('drops answers to what it asks no more', () => {
    const bench = new ClassicBench()
    bench.member.start(bench.now)
    const join = bench.only('join')
    bench.answerJoin(join, { errorCode: ErrorCode.MEMBER_ID_REQUIRED })
    bench.kinds()
    bench.answerJoin(join, { generationId: 9 })
    expect(bench.member.identity.generationId).toBe(-1)
    expect(bench.kinds()).toEqual([])
  })

  test.each([ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE])(
    'looks for the coordinator again and retries after error %d',
    (errorCode) => {
      const bench = new ClassicBench()
      bench.member.start(bench.now)
      bench.answerJoin(bench.only('join'), { errorCode })
      bench.only('coordinator-lost')
      expect(bench.member.deadline).toBe(bench.now + 50)
      bench.wait(50)
      bench.only('join')
    },
  )

  test.each([
    ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
    ErrorCode.INVALID_SESSION_TIMEOUT,
    ErrorCode.GROUP_AUTHORIZATION_FAILED,
    ErrorCode.GROUP_MAX_SIZE_REACHED,
    ErrorCode.FENCED_INSTANCE_ID,
    ErrorCode.INVALID_GROUP_ID,
  ])('fails for good with error %d, naming the group', (errorCode) => {
    const bench = new ClassicBench()
    bench.member.start(bench.now)
    bench.answerJoin(bench.only('join'), { errorCode })
    expect(bench.only('failed').error.message).toContain('group g')
    expect([bench.member.state, bench.member.deadline]).toEqual(['failed', Infinity])
  })

  test('fails for good when a request cannot be made, and retries when it was lost', () => {
    const bench = new ClassicBench()
    bench.member.start(bench.now)
    bench.member.requestFailed(
      'join',
      bench.only('join').serial,
      new KafkaError('CONNECTION_CLOSED', 'cut', { retriable: true }),
      bench.now,
    )
    bench.only('coordinator-lost')
    bench.wait(50)
    bench.member.requestFailed('join', bench.only('join').serial, new KafkaError('UNSUPPORTED_VERSION', 'too old'), bench.now)
    expect(bench.only('failed').error.code).toBe('UNSUPPORTED_VERSION')
  })

  test('does not take what it did not subscribe to', () => {
    const bench = new ClassicBench()
    bench.stable([{ topic: 'strange', partition: 0 }])
    expect([bench.member.state, bench.member.owned]).toEqual(['waiting', []])
  })
})

describe('heartbeats', () => {
  test('go on at their interval, also while partitions are given up', () => {
    const bench = new ClassicBench()
    bench.stable(t(0))
    bench.only('assigned')
    bench.wait(300)
    bench.answerHeartbeat(ErrorCode.NONE)
    bench.wait(300)
    bench.answerHeartbeat(ErrorCode.REBALANCE_IN_PROGRESS)
    bench.only('revoke')
    bench.wait(300)
    bench.answerHeartbeat(ErrorCode.REBALANCE_IN_PROGRESS)
    expect(bench.member.state).toBe('preparing')
  })

  test('one at a time; without an answer for a session the coordinator is looked for', () => {
    const bench = new ClassicBench()
    bench.stable(t(0))
    bench.kinds()
    bench.wait(300)
    bench.only('heartbeat')
    bench.wait(300)
    expect(bench.kinds()).toEqual([])
    bench.wait(400)
    const [lookup, zombie] = bench.member.effects.splice(0)
    expect(lookup!.kind).toBe('coordinator-lost')
    expect(zombie).toMatchObject({ kind: 'zombie', event: { cause: 'session', silentMs: 1_000 } })
    bench.wait(999)
    expect(bench.kinds()).toEqual([])
    bench.wait(1)
    expect(bench.kinds()).toEqual(['coordinator-lost', 'zombie'])
  })

  test('a moved coordinator costs nothing but a lookup', () => {
    const bench = new ClassicBench()
    bench.stable(t(0))
    bench.kinds()
    bench.wait(300)
    bench.answerHeartbeat(ErrorCode.NOT_COORDINATOR)
    bench.only('coordinator-lost')
    expect([bench.member.state, bench.member.owned]).toEqual(['stable', t(0)])
  })

  test.each([
    [ErrorCode.UNKNOWN_MEMBER_ID, ''],
    [ErrorCode.ILLEGAL_GENERATION, 'me'],
  ])('error %d means that the partitions are lost; it joins again as %o', (errorCode, memberId) => {
    const bench = new ClassicBench()
    bench.stable(t(0, 1))
    bench.kinds()
    bench.wait(300)
    bench.answerHeartbeat(errorCode)
    const [zombie, lost] = bench.member.effects.splice(0)
    expect(zombie).toMatchObject({ kind: 'zombie', event: { cause: 'fenced' } })
    expect(lost!.kind).toBe('lost')
    expect(bench.member.owned).toEqual([])
    bench.wait(50)
    expect(bench.only('join').request.memberId).toBe(memberId)
  })
})

describe('rebalancing', () => {
  test('eager gives everything up before it joins, and says that it owns nothing', () => {
    const bench = new ClassicBench()
    bench.stable(t(0, 1))
    bench.kinds()
    bench.wait(300)
    bench.answerHeartbeat(ErrorCode.REBALANCE_IN_PROGRESS)
    const revoke = bench.only('revoke')
    expect(revoke.partitions).toEqual(t(0, 1))
    bench.member.revoked(revoke.serial, bench.now)
    const join = bench.only('join')
    expect(decodeSubscription(join.request.protocols[0]!.metadata).ownedPartitions).toEqual([])
    bench.answerJoin(join, { generationId: 2 })
    bench.answerSync(bench.only('sync'), t(1))
    expect(bench.only('assigned')).toMatchObject({ partitions: t(1), generationId: 2 })
  })

  test('cooperative keeps all while it joins, then gives up what went to others and joins again', () => {
    const bench = new ClassicBench([cooperativeStickyAssignor])
    bench.stable(t(0, 1))
    bench.kinds()
    bench.wait(300)
    bench.answerHeartbeat(ErrorCode.REBALANCE_IN_PROGRESS)
    const join = bench.only('join')
    const subscription = decodeSubscription(join.request.protocols[0]!.metadata)
    expect([subscription.ownedPartitions, subscription.generationId]).toEqual([t(0, 1), 1])
    bench.answerJoin(join, { generationId: 2 })
    bench.answerSync(bench.only('sync'), t(0))
    const revoke = bench.only('revoke')
    expect([revoke.partitions, bench.member.owned]).toEqual([t(1), t(0, 1)])
    bench.member.revoked(revoke.serial, bench.now)
    expect(bench.kinds()).toEqual(['assigned', 'join'])
    expect(bench.member.owned).toEqual(t(0))
  })

  test('both protocols are cooperative only when every assignor is', () => {
    expect(new ClassicBench([rangeAssignor, cooperativeStickyAssignor]).member.protocol).toBe('eager')
    expect(new ClassicBench([cooperativeStickyAssignor]).member.protocol).toBe('cooperative')
  })

  test('a revocation that ends after the membership was lost changes nothing', () => {
    const bench = new ClassicBench()
    bench.stable(t(0))
    bench.kinds()
    bench.wait(300)
    bench.answerHeartbeat(ErrorCode.REBALANCE_IN_PROGRESS)
    const revoke = bench.only('revoke')
    bench.wait(300)
    bench.answerHeartbeat(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(bench.kinds()).toEqual(['zombie', 'lost'])
    bench.member.revoked(revoke.serial, bench.now)
    expect(bench.kinds()).toEqual([])
    bench.wait(50)
    bench.only('join')
  })

  test('the leader starts one when a topic gets partitions; a follower does not', () => {
    const follower = new ClassicBench()
    follower.stable(t(0))
    follower.kinds()
    follower.member.topicsSeen(layouts({ t: 9 }), follower.now)
    expect(follower.kinds()).toEqual([])
  })

  test('a refused commit tells of a rebalance', () => {
    const bench = new ClassicBench([cooperativeStickyAssignor])
    bench.stable(t(0))
    bench.kinds()
    bench.member.commitRefused(ErrorCode.REBALANCE_IN_PROGRESS, bench.now)
    expect(bench.kinds()).toEqual(['join'])
  })
})

describe('an application that asks for nothing', () => {
  test('costs the membership at its deadline; it joins again when there is demand', () => {
    const bench = new ClassicBench()
    bench.stable(t(0))
    bench.kinds()
    bench.member.setPollDeadline(bench.now + 400, bench.now)
    expect(bench.member.deadline).toBe(bench.now + 300)
    bench.wait(300)
    bench.answerHeartbeat(ErrorCode.NONE)
    bench.wait(100)
    expect(bench.kinds()).toEqual(['zombie', 'leave', 'lost'])
    expect(bench.member.deadline).toBe(Infinity)
    bench.member.setPollDeadline(Infinity, bench.now)
    expect(bench.only('join').request.memberId).toBe('')
  })
})

describe('leaving', () => {
  test('says so, in the form of each version', () => {
    const bench = new ClassicBench()
    bench.stable(t(0))
    bench.kinds()
    bench.member.leave('done')
    const { request } = bench.only('leave')
    expect(request(2)).toEqual({ groupId: 'g', memberId: 'me', members: [] })
    expect(request(5)).toEqual({
      groupId: 'g',
      memberId: '',
      members: [{ memberId: 'me', groupInstanceId: null, reason: 'done' }],
    })
    expect(bench.member.deadline).toBe(Infinity)
  })

  test('a static member leaves silently, so that it may come back', () => {
    const bench = new ClassicBench([rangeAssignor], { groupInstanceId: 'i' })
    bench.stable(t(0))
    bench.kinds()
    bench.member.leave('done')
    expect(bench.kinds()).toEqual([])
  })
})
