import { ErrorCode } from '@millrace/protocol'
import { deleteTopicsApi } from '@millrace/protocol/apis/delete-topics'
import { describe, expect, test } from 'vitest'
import { consumerGroup, ConsumerGroupMember, HEARTBEAT_MS, stateOf } from '../../test/consumer-group-member.ts'
import { startBroker, type TestBroker } from '../../test/core-fixtures.ts'
import { REGEX_REFRESH_MIN_MS, TOPIC_REGEX_LENGTH_MAX } from '../limits.ts'
import { MemoryStorage } from '../storage/memory-storage.ts'
import { GroupError } from './group-error.ts'
import { compileTopicRegex } from './topic-regex.ts'

describe('expressions', () => {
  test.each([
    ['orders', ['orders'], ['orders-1', 'my-orders', 'Orders']],
    ['orders-.*', ['orders-1', 'orders-'], ['orders', 'x-orders-1']],
    ['orders|returns', ['orders', 'returns'], ['orders|returns', 'ordersreturns']],
    ['(?i)ORDERS\\d{1,3}', ['orders1', 'Orders123'], ['orders', 'orders1234']],
    ['^a[^.]+\\.v2$', ['abc.v2'], ['abcxv2', 'a.b.v2']],
    ['\\Qa.b\\E', ['a.b'], ['axb']],
  ])('%s stands for whole names', (regex, matching, others) => {
    const matches = compileTopicRegex(regex)
    expect(matching.map(matches)).toEqual(matching.map(() => true))
    expect(others.map(matches)).toEqual(others.map(() => false))
  })

  test.each([
    '(',
    'a**',
    '[z-a]',
    '(?<=a)b',
    '(a)\\1',
    '(?=a)',
    'x{1001}',
    '((a{100}){100}){100}',
    'a'.repeat(TOPIC_REGEX_LENGTH_MAX + 1),
  ])('%s is refused, by name', (regex) => {
    const failure = failureOf(() => compileTopicRegex(regex))
    expect(failure).toBeInstanceOf(GroupError)
    expect(failure).toMatchObject({ errorCode: ErrorCode.INVALID_REGULAR_EXPRESSION })
    expect((failure as GroupError).message).toContain(regex.slice(0, TOPIC_REGEX_LENGTH_MAX))
  })

  test('one that takes a backtracking engine for ever is as quick as any', () => {
    const topic = `${'a'.repeat(248)}!`
    for (const regex of ['(a+)+', '(a|aa)+', '(.*)*x', '(a|a)*b']) expect(compileTopicRegex(regex)(topic)).toBe(false)
  })
})

describe('subscriptions', () => {
  const regex = (subscribedTopicRegex: string) => ({ subscribedTopicRegex })

  test('the coordinator looks the topics up, and the next heartbeat has the partitions', () => {
    const broker = brokerWith('orders-1', 'orders-2', 'returns')
    const a = new ConsumerGroupMember(broker.core, 'a', regex('orders-.*'))
    expect(a.join()).toMatchObject({ errorCode: 0, memberEpoch: 1, assignment: { topicPartitions: [] } })
    broker.clock.advance(0)
    expect(a.heartbeat()).toMatchObject({ errorCode: 0, memberEpoch: 2 })
    expect(topicsOf(broker, a)).toEqual(['orders-1', 'orders-2'])
    const b = new ConsumerGroupMember(broker.core, 'b', regex('orders-.*'))
    b.join()
    expect(consumerGroup(broker.core)).toMatchObject({ epoch: 3, isHomogeneous: true })
  })

  test('a new topic that matches is found, and one that is deleted is gone', () => {
    const broker = brokerWith('orders-1', 'returns')
    const a = new ConsumerGroupMember(broker.core, 'a', regex('orders-.*'))
    beat(broker, a)
    broker.createTopic('orders-2')
    broker.createTopic('others')
    beat(broker, a)
    expect(topicsOf(broker, a)).toEqual(['orders-1', 'orders-2'])
    const topics = [{ name: 'orders-1', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }]
    broker.client.ask(deleteTopicsApi, 6, { topics, topicNames: [], timeoutMs: 1000 })
    beat(broker, a)
    expect(topicsOf(broker, a)).toEqual(['orders-2'])
  })

  test('names and an expression add up, and a member may go from one to the other', () => {
    const broker = brokerWith('orders-1', 'returns')
    const a = new ConsumerGroupMember(broker.core, 'a', { ...regex('orders-.*'), subscribedTopicNames: ['returns'] })
    beat(broker, a)
    expect(topicsOf(broker, a)).toEqual(['orders-1', 'returns'])
    a.heartbeat({ subscribedTopicNames: [] })
    a.apply()
    beat(broker, a)
    expect(topicsOf(broker, a)).toEqual(['orders-1'])
    a.heartbeat({ subscribedTopicNames: ['returns'], subscribedTopicRegex: '' })
    a.apply()
    beat(broker, a)
    expect(topicsOf(broker, a)).toEqual(['returns'])
    expect(consumerGroup(broker.core).regexes.size).toBe(0)
  })

  test('an expression is forgotten with the last member that uses it', () => {
    const broker = brokerWith('orders-1')
    const a = new ConsumerGroupMember(broker.core, 'a', regex('orders-.*'))
    const b = new ConsumerGroupMember(broker.core, 'b', regex('orders-.*'))
    beat(broker, a)
    beat(broker, b)
    a.leave()
    expect([...consumerGroup(broker.core).regexes.keys()]).toEqual(['orders-.*'])
    b.leave()
    expect(consumerGroup(broker.core).regexes.size).toBe(0)
    expect(consumerGroup(broker.core).subscriptions.size).toBe(0)
  })

  test('one that is not valid is refused, and the member stays what it was', () => {
    const broker = brokerWith('orders-1')
    const a = new ConsumerGroupMember(broker.core, 'a', regex('orders-('))
    const refused = {
      errorCode: ErrorCode.INVALID_REGULAR_EXPRESSION,
      errorMessage: expect.stringContaining('`orders-(`') as string,
    }
    expect(a.join()).toMatchObject(refused)
    expect(broker.core.services.groups.group('g')).toBeUndefined()
    a.subscription = regex('orders-.*')
    beat(broker, a)
    const before = stateOf(consumerGroup(broker.core))
    expect(a.heartbeat({ subscribedTopicRegex: '[' })).toMatchObject({ errorCode: ErrorCode.INVALID_REGULAR_EXPRESSION })
    expect(stateOf(consumerGroup(broker.core))).toEqual(before)
  })

  test('what was looked up survives a restart', () => {
    const storage = new MemoryStorage()
    const broker = brokerOn(storage)
    broker.createTopic('orders-1')
    const a = new ConsumerGroupMember(broker.core, 'a', regex('orders-.*'))
    beat(broker, a)
    broker.core.abandon()
    expect(stateOf(consumerGroup(brokerOn(storage).core))).toEqual(stateOf(consumerGroup(broker.core)))
  })
})

function brokerOn(storage: MemoryStorage): TestBroker {
  return startBroker({ storage })
}

function brokerWith(...topics: string[]): TestBroker {
  const broker = startBroker()
  for (const topic of topics) broker.createTopic(topic)
  return broker
}

/** Heartbeats until one has made the coordinator look expressions up again, and another was told what came of it. */
function beat(broker: TestBroker, member: ConsumerGroupMember): void {
  if (member.epoch === 0) member.join()
  for (let passed = 0; passed <= REGEX_REFRESH_MIN_MS + HEARTBEAT_MS; passed += HEARTBEAT_MS) {
    broker.clock.advance(HEARTBEAT_MS)
    expect(member.heartbeat().errorCode).toBe(0)
    member.apply()
  }
}

function topicsOf({ core }: TestBroker, member: ConsumerGroupMember): string[] {
  return member.assigned.map(({ topicId }) => core.services.topics.byId(topicId)!.name).toSorted()
}

function failureOf(action: () => unknown): unknown {
  try {
    return action()
  } catch (error) {
    return error
  }
}
