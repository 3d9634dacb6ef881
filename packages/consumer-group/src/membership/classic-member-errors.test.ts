import { ErrorCode } from '@millrace/protocol'
import { describe, expect, test } from 'vitest'
import { ClassicBench, layouts, t } from '../../test/classic-bench.ts'
import type { PartitionAssignor } from '../assignors/assignor.ts'
import { cooperativeStickyAssignor } from '../assignors/cooperative-sticky.ts'
import { stickyAssignor } from '../assignors/sticky.ts'
import { decodeSubscription, encodeSubscription } from './consumer-protocol.ts'

/** Every error of JoinGroup, SyncGroup, Heartbeat, OffsetCommit and LeaveGroup, by the rules of Java's ConsumerCoordinator and AbstractCoordinator. */

const MEMBERSHIP_LOST = ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION'] as const
const FINAL = [
  'GROUP_AUTHORIZATION_FAILED',
  'FENCED_INSTANCE_ID',
  'INCONSISTENT_GROUP_PROTOCOL',
  'INVALID_SESSION_TIMEOUT',
  'INVALID_GROUP_ID',
  'GROUP_MAX_SIZE_REACHED',
  'UNSUPPORTED_VERSION',
] as const
const MOVED = ['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE'] as const

describe('JoinGroup', () => {
  test('UNKNOWN_MEMBER_ID: joins anew, without the id', () => {
    const bench = new ClassicBench()
    bench.member.start(bench.now)
    bench.answerJoin(bench.only('join'), { errorCode: ErrorCode.MEMBER_ID_REQUIRED, memberId: 'given' })
    bench.answerJoin(bench.only('join'), { errorCode: ErrorCode.UNKNOWN_MEMBER_ID })
    bench.wait(50)
    expect(bench.only('join').request.memberId).toBe('')
  })

  test('COORDINATOR_LOAD_IN_PROGRESS: retries after a backoff, with the id that it has', () => {
    const bench = new ClassicBench()
    bench.stable(t(0))
    bench.kinds()
    bench.member.subscribe(['t', 'u'], bench.now)
    bench.member.revoked(bench.only('revoke').serial, bench.now)
    bench.answerJoin(bench.only('join'), { errorCode: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS })
    expect(bench.kinds()).toEqual([])
    bench.wait(50)
    expect(bench.only('join').request.memberId).toBe('me')
  })

  test('another protocol type is none of ours', () => {
    const bench = new ClassicBench()
    bench.member.start(bench.now)
    bench.answerJoin(bench.only('join'), { protocolType: 'connect' })
    expect(bench.only('failed').error.code).toBe('INCONSISTENT_GROUP_PROTOCOL')
  })

  test.each(FINAL)('%s is final', (code) => {
    const bench = new ClassicBench()
    bench.member.start(bench.now)
    bench.answerJoin(bench.only('join'), { errorCode: ErrorCode[code] })
    expect(bench.only('failed').error).toMatchObject({ code })
    expect(bench.member.state).toBe('failed')
  })
})

describe('SyncGroup', () => {
  function syncing(): ClassicBench {
    const bench = new ClassicBench()
    bench.member.start(bench.now)
    bench.answerJoin(bench.only('join'), { generationId: 5 })
    return bench
  }

  test('REBALANCE_IN_PROGRESS: joins again at once', () => {
    const bench = syncing()
    bench.answerSync(bench.only('sync'), [], ErrorCode.REBALANCE_IN_PROGRESS)
    expect(bench.only('join').request).toMatchObject({ memberId: 'me' })
  })

  test.each([
    ['UNKNOWN_MEMBER_ID', ''],
    ['ILLEGAL_GENERATION', 'me'],
  ] as const)('%s: joins again as %o', (code, memberId) => {
    const bench = syncing()
    bench.answerSync(bench.only('sync'), [], ErrorCode[code])
    bench.wait(50)
    expect(bench.only('join').request.memberId).toBe(memberId)
    expect(bench.member.identity.generationId).toBe(-1)
  })

  test.each(MOVED)('%s: looks the coordinator up and joins again', (code) => {
    const bench = syncing()
    bench.answerSync(bench.only('sync'), [], ErrorCode[code])
    bench.only('coordinator-lost')
    bench.wait(50)
    bench.only('join')
    expect(bench.member.state).toBe('joining')
  })

  test.each(['GROUP_AUTHORIZATION_FAILED', 'FENCED_INSTANCE_ID'] as const)('%s is final', (code) => {
    const bench = syncing()
    bench.answerSync(bench.only('sync'), [], ErrorCode[code])
    expect(bench.member.effects.at(-1)).toMatchObject({ kind: 'failed', error: { code } })
  })

  test.each([
    { protocolType: 'connect', protocolName: null },
    { protocolType: 'consumer', protocolName: 'other' },
  ])('an assignment by $protocolType and $protocolName is none of ours', (names) => {
    const bench = syncing()
    const { serial } = bench.only('sync')
    bench.member.syncAnswered(serial, { throttleTimeMs: 0, errorCode: 0, assignment: Buffer.alloc(0), ...names }, bench.now)
    expect(bench.only('failed').error.code).toBe('INCONSISTENT_GROUP_PROTOCOL')
  })
})

describe('Heartbeat', () => {
  test.each(['GROUP_AUTHORIZATION_FAILED', 'FENCED_INSTANCE_ID'] as const)('%s is final, and all is lost', (code) => {
    const bench = new ClassicBench()
    bench.stable(t(0))
    bench.kinds()
    bench.wait(300)
    bench.answerHeartbeat(ErrorCode[code])
    const kinds = bench.kinds()
    expect(kinds).toContain('lost')
    expect(kinds.at(-1)).toBe('failed')
    expect(kinds.includes('zombie')).toBe(code === 'FENCED_INSTANCE_ID')
  })

  test.each(MEMBERSHIP_LOST)('%s for a generation that went by means nothing', (code) => {
    const bench = new ClassicBench([cooperativeStickyAssignor])
    bench.stable(t(0))
    bench.kinds()
    bench.wait(300)
    const old = bench.only('heartbeat')
    bench.member.commitRefused(ErrorCode.REBALANCE_IN_PROGRESS, bench.now)
    bench.answerJoin(bench.only('join'), { generationId: 2 })
    bench.answerSync(bench.only('sync'), t(0))
    bench.kinds()
    bench.member.heartbeatAnswered(old.serial, { throttleTimeMs: 0, errorCode: ErrorCode[code] }, bench.now)
    expect([bench.kinds(), bench.member.state, bench.member.owned]).toEqual([[], 'stable', t(0)])
  })

  test.each(['stable', 'preparing'] as const)(
    'COORDINATOR_LOAD_IN_PROGRESS while it is %s changes nothing: nobody joins with what was not given up',
    (state) => {
      const bench = new ClassicBench()
      bench.stable(t(0))
      bench.kinds()
      if (state === 'preparing') bench.member.commitRefused(ErrorCode.REBALANCE_IN_PROGRESS, bench.now)
      const before = bench.kinds()
      bench.wait(300)
      bench.answerHeartbeat(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
      expect([before, bench.kinds()]).toEqual([state === 'preparing' ? ['revoke'] : [], []])
      expect([bench.member.state, bench.member.owned]).toEqual([state, t(0)])
      bench.wait(300)
      expect(bench.kinds()).toEqual(['heartbeat'])
    },
  )
})

describe('OffsetCommit', () => {
  test.each(MEMBERSHIP_LOST)('%s while it is stable: all is lost', (code) => {
    const bench = new ClassicBench()
    bench.stable(t(0))
    bench.kinds()
    bench.member.commitRefused(ErrorCode[code], bench.now)
    expect(bench.kinds()).toEqual(['zombie', 'lost'])
  })

  test('REBALANCE_IN_PROGRESS while it gives up changes nothing; UNKNOWN_MEMBER_ID then ends it', () => {
    const bench = new ClassicBench()
    bench.stable(t(0))
    bench.kinds()
    bench.wait(300)
    bench.answerHeartbeat(ErrorCode.REBALANCE_IN_PROGRESS)
    const revoke = bench.only('revoke')
    bench.member.commitRefused(ErrorCode.REBALANCE_IN_PROGRESS, bench.now)
    expect(bench.kinds()).toEqual([])
    bench.member.commitRefused(ErrorCode.UNKNOWN_MEMBER_ID, bench.now)
    expect(bench.kinds()).toEqual(['zombie', 'lost'])
    bench.member.revoked(revoke.serial, bench.now)
    expect(bench.kinds()).toEqual([])
  })
})

describe('another subscription', () => {
  test('under the cooperative protocol gives up only what is not subscribed to any more, before it joins', () => {
    const bench = new ClassicBench([cooperativeStickyAssignor], {}, ['t', 'u'])
    const u0 = { topic: 'u', partition: 0 }
    bench.stable([...t(0), u0])
    bench.kinds()
    bench.member.subscribe(['t'], bench.now)
    const revoke = bench.only('revoke')
    expect(revoke.partitions).toEqual([u0])
    bench.member.revoked(revoke.serial, bench.now)
    const subscription = decodeSubscription(bench.only('join').request.protocols[0]!.metadata)
    expect([subscription.topics, subscription.ownedPartitions]).toEqual([['t'], t(0)])
  })

  test('that comes in the middle of a rebalance is told in another one', () => {
    const bench = new ClassicBench()
    bench.member.start(bench.now)
    bench.answerJoin(bench.only('join'))
    const sync = bench.only('sync')
    bench.member.subscribe(['t', 'u'], bench.now)
    bench.answerSync(sync, t(0))
    expect(bench.kinds()).toEqual([])
    bench.wait(50)
    expect(decodeSubscription(bench.only('join').request.protocols[0]!.metadata).topics).toEqual(['t', 'u'])
  })

  test('to the same topics in another order is none', () => {
    const bench = new ClassicBench([cooperativeStickyAssignor], {}, ['t', 'u'])
    bench.stable(t(0))
    bench.kinds()
    bench.member.subscribe(['u', 't'], bench.now)
    expect(bench.kinds()).toEqual([])
  })
})

describe('the leader', () => {
  const metadata = encodeSubscription({ topics: ['t'], userData: null, ownedPartitions: [], generationId: -1, rackId: null })
  const members = [{ memberId: 'me', groupInstanceId: null, metadata }]

  function leading(assignors?: readonly PartitionAssignor[]): ClassicBench {
    const bench = new ClassicBench(assignors)
    bench.member.start(bench.now)
    bench.answerJoin(bench.only('join'), { leader: 'me', members })
    return bench
  }

  test('gives nothing to a member whose subscription cannot be read, tells of it, and serves the others', () => {
    const bench = new ClassicBench()
    bench.member.start(bench.now)
    const broken = { memberId: 'broken', groupInstanceId: null, metadata: Buffer.from('ffff', 'hex') }
    bench.answerJoin(bench.only('join'), { leader: 'me', members: [...members, broken] })
    const [ignored, describeTopics] = bench.member.effects.splice(0)
    expect(ignored).toMatchObject({ kind: 'member-ignored', memberId: 'broken' })
    bench.member.topicsDescribed((describeTopics as { serial: number }).serial, layouts({ t: 2 }), bench.now)
    expect(bench.only('sync').request.assignments.map(({ memberId }) => memberId)).toEqual(['me', 'broken'])
  })

  test('whose assignor throws leaves the group and fails, by an error that names it', () => {
    const cause = new TypeError('oops')
    const thrower: PartitionAssignor = {
      name: 'thrower',
      protocols: ['eager'],
      assign: () => {
        throw cause
      },
    }
    const bench = leading([thrower])
    bench.member.topicsDescribed(bench.only('describe-topics').serial, layouts({ t: 2 }), bench.now)
    const [leave, failed] = bench.member.effects.splice(0)
    expect(leave!.kind).toBe('leave')
    expect(failed).toMatchObject({ kind: 'failed', error: { code: 'ASSIGNOR_FAILED', assignor: 'thrower', cause } })
  })

  test('starts a rebalance when a topic comes, goes, grows or moves to other racks, and not when nothing changed', () => {
    for (const [seen, isNews] of [
      [layouts({ t: 2 }), false],
      [layouts({ t: 3 }), true],
      [layouts({}), true],
      [new Map([['t', { partitionCount: 2, replicaRacks: [['a'], ['b']] }]]), true],
    ] as const) {
      const bench = leading()
      bench.member.topicsDescribed(bench.only('describe-topics').serial, layouts({ t: 2 }), bench.now)
      bench.answerSync(bench.only('sync'), t(0, 1))
      bench.kinds()
      bench.member.topicsSeen(seen, bench.now)
      expect(bench.kinds()).toEqual(isNews ? ['revoke'] : [])
    }
  })
})

test('what it had last goes with its subscription, for assignors that remember', () => {
  const bench = new ClassicBench([stickyAssignor])
  bench.stable(t(0, 1), 3)
  bench.kinds()
  bench.wait(300)
  bench.answerHeartbeat(ErrorCode.REBALANCE_IN_PROGRESS)
  bench.member.revoked(bench.only('revoke').serial, bench.now)
  const { userData, ownedPartitions } = decodeSubscription(bench.only('join').request.protocols[0]!.metadata)
  expect(ownedPartitions).toEqual([])
  expect(userData).toEqual(stickyAssignor.subscriptionUserData!(['t'], { partitions: t(0, 1), generationId: 3 }))
})

test.each([
  [null, 'default', true],
  [null, 'remain', false],
  ['i', 'default', false],
  ['i', 'leave', true],
] as const)('leaving with instance id %o and %s: the group is told: %o', (groupInstanceId, operation, isTold) => {
  const bench = new ClassicBench(undefined, { groupInstanceId })
  bench.stable(t(0))
  bench.kinds()
  bench.member.leave('done', operation)
  expect(bench.kinds()).toEqual(isTold ? ['leave'] : [])
})
