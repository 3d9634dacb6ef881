import { BrokerError, ErrorCode, KafkaError } from '@millrace/protocol'
import { errorAbout, isRetriable, RetryPolicy, TimeoutError, timeoutOption, type ClusterClient } from '@millrace/client/internal'
import { ownError, topicPartitionKey, type CallOptions, type TopicPartition } from './context.ts'
import type { ResultCollector } from './item-results.ts'
import { MAX_LEADER_ROUNDS, UNKNOWN_TOPIC_ATTEMPTS } from './limits.ts'

/** What one leader said about one partition. */
export interface LeaderAnswer<Value> extends TopicPartition {
  readonly errorCode: number
  readonly value: Value
}

export interface LeaderCall extends TopicPartition {
  /** The leader's epoch as we know it; the broker refuses the request if it knows a newer one. */
  readonly leaderEpoch: number
}

export interface AttemptOptions {
  readonly signal: AbortSignal | undefined
  readonly timeoutMs: number
}

/** Asks one node about the partitions that it leads. */
export type AskLeader<Item, Value> = (
  node: number,
  items: readonly (Item & LeaderCall)[],
  options: AttemptOptions,
) => Promise<readonly LeaderAnswer<Value>[]>

/**
 * Sends each partition's part of a request to its leader, and again, with fresh metadata, what failed in a way that may pass
 * (a leader that moved, a lost connection), until every partition has an answer or the time is over.
 */
export async function perLeader<Item extends TopicPartition, Value>(
  client: ClusterClient,
  items: readonly Item[],
  options: CallOptions,
  collector: ResultCollector<Value>,
  ask: AskLeader<Item, Value>,
): Promise<void> {
  const { clock } = client.environment
  const timeoutMs = timeoutOption(options.timeoutMs, client.config.defaultApiTimeoutMs)
  const deadline = clock.now() + timeoutMs
  const retry = new RetryPolicy(client.config.retryBackoffMs, client.config.retryBackoffMaxMs)
  const failures = new Map<string, KafkaError>()
  let pending = items
  for (let round = 0; round < MAX_LEADER_ROUNDS && pending.length > 0; round++) {
    if (round > 0) {
      const delayMs = retry.delayMs(round - 1, client.environment.random())
      if (clock.now() + delayMs >= deadline) break
      await client.sleep(delayMs, options.signal)
    }
    const attempt: AttemptOptions = { signal: options.signal, timeoutMs: Math.max(1, deadline - clock.now()) }
    const failure = await learnLeaders(client, pending, attempt, round > 0)
    if (failure !== null && !isRetriable(failure)) throw failure
    if (failure === null) pending = await askRound(client, pending, attempt, collector, failures, ask)
    else for (const item of pending) failures.set(topicPartitionKey(item.topic, item.partition), failure)
    if (round >= UNKNOWN_TOPIC_ATTEMPTS) pending = giveUpUnknown(pending, collector, failures)
  }
  for (const item of pending) {
    const key = topicPartitionKey(item.topic, item.partition)
    const failure = failures.get(key)
    const message = `${key} had no answer within ${timeoutMs} ms${failure === undefined ? '' : `: ${failure.message}`}`
    collector.fail(key, new TimeoutError('API_TIMED_OUT', timeoutMs, message, failure))
  }
}

/** @returns why metadata could not be had; null if it could, or is known */
async function learnLeaders(
  client: ClusterClient,
  items: readonly TopicPartition[],
  options: AttemptOptions,
  isRetry: boolean,
): Promise<KafkaError | null> {
  const wanted = isRetry ? items : items.filter(({ topic, partition }) => client.leaderFor(topic, partition) === undefined)
  if (wanted.length === 0) return null
  try {
    await client.refreshMetadata([...new Set(wanted.map(({ topic }) => topic))], options)
    return null
  } catch (error) {
    return ownError(error)
  }
}

/** @returns the partitions that are to be tried again */
async function askRound<Item extends TopicPartition, Value>(
  client: ClusterClient,
  items: readonly Item[],
  options: AttemptOptions,
  collector: ResultCollector<Value>,
  failures: Map<string, KafkaError>,
  ask: AskLeader<Item, Value>,
): Promise<Item[]> {
  const again: Item[] = []
  const byNode = new Map<number, (Item & LeaderCall)[]>()
  const settle = (item: Item, failure: KafkaError): void => {
    const key = topicPartitionKey(item.topic, item.partition)
    failures.set(key, failure)
    if (isRetriable(failure)) again.push(item)
    else collector.fail(key, failure)
  }
  for (const item of items) {
    const known = client.leaderFor(item.topic, item.partition)
    if (known === undefined) {
      settle(item, whyNoLeader(client, item))
      continue
    }
    const call = { ...item, leaderEpoch: known.leaderEpoch }
    const group = byNode.get(known.leader)
    if (group === undefined) byNode.set(known.leader, [call])
    else group.push(call)
  }
  const calls = [...byNode].map(async ([node, group]) => {
    const answers = await askOne(node, group, options, ask)
    for (const item of group) {
      const outcome = answers instanceof KafkaError ? answers : outcomeOf(item, answers)
      if (outcome instanceof KafkaError) settle(item, outcome)
      else collector.succeed(topicPartitionKey(item.topic, item.partition), outcome.value)
    }
  })
  await Promise.all(calls)
  return again
}

/** The caller's abort and the client's close end the whole call; any other failure is this node's. */
async function askOne<Item, Value>(
  node: number,
  group: readonly (Item & LeaderCall)[],
  options: AttemptOptions,
  ask: AskLeader<Item, Value>,
): Promise<readonly LeaderAnswer<Value>[] | KafkaError> {
  try {
    return await ask(node, group, options)
  } catch (error) {
    return ownError(error)
  }
}

function outcomeOf<Value>(item: TopicPartition, answers: readonly LeaderAnswer<Value>[]): LeaderAnswer<Value> | KafkaError {
  const key = topicPartitionKey(item.topic, item.partition)
  const answer = answers.find(({ topic, partition }) => topic === item.topic && partition === item.partition)
  if (answer === undefined) return new KafkaError('MISSING_FROM_RESPONSE', `the broker's answer says nothing about ${key}`)
  return answer.errorCode === ErrorCode.NONE ? answer : errorAbout(answer.errorCode, key)
}

function whyNoLeader(client: ClusterClient, { topic, partition }: TopicPartition): KafkaError {
  const key = topicPartitionKey(topic, partition)
  const topicError = client.topicError(topic)
  if (topicError !== ErrorCode.NONE) return errorAbout(topicError, `topic ${topic}`)
  if (client.partitionsFor(topic)[partition] === undefined) return errorAbout(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, key)
  return errorAbout(ErrorCode.LEADER_NOT_AVAILABLE, key)
}

/** Java asks for an unknown topic until the time is over; a wrong name deserves an answer sooner. */
function giveUpUnknown<Item extends TopicPartition>(
  items: readonly Item[],
  collector: ResultCollector<unknown> | ResultCollector<never>,
  failures: ReadonlyMap<string, KafkaError>,
): Item[] {
  return items.filter(({ topic, partition }) => {
    const key = topicPartitionKey(topic, partition)
    const failure = failures.get(key)
    if (!(failure instanceof BrokerError) || failure.errorCode !== ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) return true
    collector.fail(key, failure)
    return false
  })
}
