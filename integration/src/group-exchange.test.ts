import { ErrorCode, errorName, ZERO_UUID } from '@millrace/protocol'
import { consumerGroupDescribeApi } from '@millrace/protocol/apis/consumer-group-describe'
import { consumerGroupHeartbeatApi } from '@millrace/protocol/apis/consumer-group-heartbeat'
import { encodeConsumerProtocolSubscription } from '@millrace/protocol/apis/consumer-protocol-subscription'
import { createTopicsApi } from '@millrace/protocol/apis/create-topics'
import { findCoordinatorApi } from '@millrace/protocol/apis/find-coordinator'
import { heartbeatApi } from '@millrace/protocol/apis/heartbeat'
import { joinGroupApi } from '@millrace/protocol/apis/join-group'
import { leaveGroupApi } from '@millrace/protocol/apis/leave-group'
import { listGroupsApi } from '@millrace/protocol/apis/list-groups'
import { metadataApi } from '@millrace/protocol/apis/metadata'
import { offsetCommitApi } from '@millrace/protocol/apis/offset-commit'
import { offsetFetchApi } from '@millrace/protocol/apis/offset-fetch'
import { syncGroupApi } from '@millrace/protocol/apis/sync-group'
import { Writer } from '@millrace/protocol/internal'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { embedded } from './providers/embedded.ts'
import type { Provider, RunningBroker } from './providers/provider.ts'
import { realKafka } from './providers/real-kafka.ts'
import { RawClient } from './raw-client.ts'
import { until } from './scenarios/clients.ts'

const PARTITIONS = 6
const STEPS = 600
const SEEDS = Array.from({ length: process.env['MILLRACE_NIGHTLY'] ? 100 : 5 }, (_, index) => index + 1)
const PROTOCOL = 'range'
/** What the embedded broker has as defaults, so that both assign at once. */
const PROPERTIES = { 'group.consumer.assignment.interval.ms': '0', 'group.initial.rebalance.delay.ms': '0' }

const reason = await realKafka.available()

/** One broker with what the members of one group know of it. What is sent depends on its replies, which are to be the same. */
class Side {
  readonly client: RawClient
  readonly #running: RunningBroker
  #topics = new Map<string, string>()

  private constructor(client: RawClient, running: RunningBroker) {
    this.client = client
    this.#running = running
  }

  static async start(provider: Provider): Promise<Side> {
    const running = await provider.start({ properties: PROPERTIES })
    return new Side(await RawClient.open(running.bootstrapServers), running)
  }

  async createTopics(names: readonly string[]): Promise<void> {
    const topics = names.map((name) => ({ name, numPartitions: PARTITIONS, replicationFactor: 1, assignments: [], configs: [] }))
    await this.client.ask(createTopicsApi, 7, { topics, timeoutMs: 10_000, validateOnly: false })
    let known = new Map<string, string>()
    await until(async () => {
      const { topics: found } = await this.client.ask(metadataApi, 12, {
        topics: names.map((name) => ({ name, topicId: ZERO_UUID })),
        allowAutoTopicCreation: false,
        includeClusterAuthorizedOperations: false,
        includeTopicAuthorizedOperations: false,
      })
      const ready = found.filter(({ errorCode, partitions }) => errorCode === 0 && partitions.length === PARTITIONS)
      known = new Map(ready.map(({ name, topicId }) => [topicId, name!]))
      return known.size === names.length
    }, 'the topics to be there')
    this.#topics = new Map([...this.#topics, ...known])
  }

  /** Until the coordinators of groups know the topic, which Kafka tells them after it has answered. */
  async untilCoordinating(topic: string): Promise<void> {
    for (const group of ['probe', 'another probe', 'one more probe']) {
      await this.client.ask(findCoordinatorApi, 4, { key: '', keyType: 0, coordinatorKeys: [group] })
      await until(async () => {
        const actor = { id: 'probe', epoch: 0, owned: [] }
        const probe = new Exchange(this, group, topic)
        await probe.beat(actor, { memberEpoch: 0, rebalanceTimeoutMs: 60_000, topicPartitions: [] }, true)
        const isAssigned = actor.owned.length > 0
        await probe.beat(actor, { memberEpoch: -1 })
        return isAssigned
      }, 'the coordinator')
    }
  }

  name(topicId: string): string {
    return this.#topics.get(topicId) ?? topicId
  }

  async stop(): Promise<void> {
    this.client.close()
    await this.#running.stop()
  }
}

interface Actor {
  id: string
  epoch: number
  owned: { topicId: string; partitions: number[] }[]
}

/** The members of one group on one side. */
class Exchange {
  readonly #side: Side
  readonly #group: string
  readonly #topic: string
  readonly #actors: Actor[]
  readonly #classic: Actor = { id: '', epoch: -1, owned: [] }

  constructor(side: Side, group: string, topic: string) {
    this.#side = side
    this.#group = group
    this.#topic = topic
    this.#actors = ['one', 'two', 'three', 'four'].map((name) => ({ id: `${group}-${name}`, epoch: 0, owned: [] }))
  }

  /** Does one thing and gives back what came of it, in words that do not depend on the broker. */
  async step(what: number, who: number, detail: number): Promise<unknown> {
    const actor = this.#actors[who]!
    const instanceId = who === 0 ? 'static' : null
    switch (what) {
      case 0:
      case 1:
        return this.beat(actor, { memberEpoch: 0, instanceId, rebalanceTimeoutMs: 60_000, topicPartitions: [] }, true)
      case 2:
      case 3:
      case 4:
      case 5:
        return this.beat(actor, { instanceId, topicPartitions: actor.owned })
      case 6:
        return this.beat(actor, { instanceId })
      case 7:
        return this.beat(actor, { instanceId, memberEpoch: actor.epoch + detail - 2, topicPartitions: actor.owned }, false, false)
      case 8:
        return this.beat(actor, { instanceId, memberEpoch: detail % 2 === 0 ? -1 : -2 })
      case 9:
        return this.beat(actor, { instanceId, topicPartitions: actor.owned, subscribedTopicNames: this.#names(detail) })
      case 10:
        return this.#commit(actor, detail)
      case 11:
        return this.#fetch(actor, detail)
      case 12:
        return this.#join(detail)
      case 13:
        return this.#sync()
      case 14:
        return this.#classicBeat(detail)
      case 15:
        return this.#classicLeave()
      default:
        return this.#describe()
    }
  }

  #names(detail: number): string[] {
    return [[this.#topic], [this.#topic, 'nowhere'], ['nowhere'], []][detail % 4]!
  }

  async beat(actor: Actor, given: object, isJoin = false, takes = true): Promise<unknown> {
    const reply = await this.#side.client.ask(consumerGroupHeartbeatApi, 1, {
      groupId: this.#group,
      memberId: actor.id,
      memberEpoch: actor.epoch,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs: -1,
      subscribedTopicNames: isJoin ? [this.#topic] : null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: null,
      ...given,
    })
    if (takes && reply.errorCode === 0) {
      actor.epoch = Math.max(reply.memberEpoch, 0)
      if (reply.memberEpoch < 0) actor.owned = []
      if (reply.assignment !== null) actor.owned = reply.assignment.topicPartitions
    } else if (reply.errorCode === ErrorCode.FENCED_MEMBER_EPOCH || reply.errorCode === ErrorCode.UNKNOWN_MEMBER_ID) {
      Object.assign(actor, { epoch: 0, owned: [] })
    }
    const { errorCode, memberEpoch, memberId, heartbeatIntervalMs, assignment } = reply
    const assigned = assignment === null ? null : this.#words(assignment.topicPartitions)
    return { beat: errorName(errorCode), memberEpoch, memberId, heartbeatIntervalMs, assigned }
  }

  #words(list: readonly { topicId: string; partitions: readonly number[] }[]): string[] {
    return list.flatMap(({ topicId, partitions }) => partitions.map((index) => `${this.#side.name(topicId)}-${index}`)).toSorted()
  }

  async #commit(actor: Actor, detail: number): Promise<unknown> {
    const partitions = [0, 3].map((partitionIndex) => {
      return { partitionIndex, committedOffset: BigInt(detail), committedLeaderEpoch: -1, committedMetadata: '' }
    })
    const reply = await this.#side.client.ask(offsetCommitApi, 9, {
      groupId: this.#group,
      generationIdOrMemberEpoch: detail === 0 ? -1 : actor.epoch - (detail % 3) + 1,
      memberId: detail === 0 ? '' : actor.id,
      groupInstanceId: null,
      retentionTimeMs: -1n,
      topics: [{ name: this.#topic, topicId: ZERO_UUID, partitions }],
    })
    return { commit: reply.topics.flatMap((topic) => topic.partitions.map(({ errorCode }) => errorName(errorCode))) }
  }

  async #fetch(actor: Actor, detail: number): Promise<unknown> {
    const who = detail < 2 ? { memberId: null, memberEpoch: -1 } : { memberId: actor.id, memberEpoch: actor.epoch - (detail % 2) }
    const groups = [
      { groupId: this.#group, ...who, topics: [{ name: this.#topic, topicId: ZERO_UUID, partitionIndexes: [0, 3] }] },
    ]
    const reply = await this.#side.client.ask(offsetFetchApi, 9, { groupId: '', topics: [], groups, requireStable: false })
    const { errorCode, topics } = reply.groups[0]!
    const offsets = topics.flatMap((topic) =>
      topic.partitions.map((one) => [one.partitionIndex, one.committedOffset, one.errorCode]),
    )
    return { fetch: errorName(errorCode), offsets }
  }

  /** Only where a group of the consumer protocol is there, which answers at once. */
  async #join(detail: number): Promise<unknown> {
    if (!(await this.#isConsumerGroup())) return 'no consumer group'
    const writer = new Writer()
    writer.int16(1)
    const ownedPartitions = this.#classic.owned.map(({ topicId, partitions }) => ({
      topic: this.#side.name(topicId),
      partitions,
    }))
    const subscription = { topics: [this.#topic], userData: null, ownedPartitions, generationId: -1, rackId: null }
    encodeConsumerProtocolSubscription(writer, subscription, 1)
    const metadata = writer.toBuffer()
    const request = {
      groupId: this.#group,
      sessionTimeoutMs: 45_000,
      rebalanceTimeoutMs: 60_000,
      memberId: this.#classic.id === '' ? `${this.#group}-classic` : this.#classic.id,
      groupInstanceId: null,
      protocolType: detail === 1 ? 'connect' : 'consumer',
      protocols: [{ name: detail === 2 ? 'another' : PROTOCOL, metadata }],
      reason: null,
    }
    const reply = await this.#side.client.ask(joinGroupApi, 9, request)
    if (reply.errorCode === 0) Object.assign(this.#classic, { id: reply.memberId, epoch: reply.generationId })
    const { errorCode, generationId, protocolType, protocolName, leader, skipAssignment, members } = reply
    return {
      join: errorName(errorCode),
      generationId,
      protocolType,
      protocolName,
      leader,
      skipAssignment,
      members: members.length,
    }
  }

  async #sync(): Promise<unknown> {
    if (!(await this.#isConsumerGroup())) return 'no consumer group'
    const reply = await this.#side.client.ask(syncGroupApi, 5, {
      groupId: this.#group,
      generationId: this.#classic.epoch,
      memberId: this.#classic.id,
      groupInstanceId: null,
      protocolType: 'consumer',
      protocolName: PROTOCOL,
      assignments: [],
    })
    return { sync: errorName(reply.errorCode), assignment: reply.assignment.toString('hex') }
  }

  async #classicBeat(detail: number): Promise<unknown> {
    const generationId = this.#classic.epoch - (detail % 2)
    const request = { groupId: this.#group, generationId, memberId: this.#classic.id, groupInstanceId: null }
    const { errorCode } = await this.#side.client.ask(heartbeatApi, 4, request)
    return { heartbeat: errorName(errorCode) }
  }

  async #classicLeave(): Promise<unknown> {
    const members = [{ memberId: this.#classic.id, groupInstanceId: null, reason: null }]
    const reply = await this.#side.client.ask(leaveGroupApi, 5, { groupId: this.#group, memberId: '', members })
    Object.assign(this.#classic, { id: '', epoch: -1 })
    return { leave: errorName(reply.errorCode), members: reply.members.map(({ errorCode }) => errorName(errorCode)) }
  }

  async #isConsumerGroup(): Promise<boolean> {
    const groups = await this.#list()
    return groups.some(({ groupType, groupState }) => groupType.toLowerCase() === 'consumer' && groupState !== 'Empty')
  }

  async #list(): Promise<{ groupType: string; groupState: string }[]> {
    const { groups } = await this.#side.client.ask(listGroupsApi, 5, { statesFilter: [], typesFilter: [] })
    return groups.filter(({ groupId }) => groupId === this.#group)
  }

  async #describe(): Promise<unknown> {
    const listed = (await this.#list()).map(({ groupType, groupState }) => [groupType.toLowerCase(), groupState])
    const request = { groupIds: [this.#group], includeAuthorizedOperations: false }
    const { groups } = await this.#side.client.ask(consumerGroupDescribeApi, 1, request)
    const { errorCode, groupState, groupEpoch, assignmentEpoch, assignorName, members } = groups[0]!
    const described = members.map((member) => ({
      memberId: member.memberId,
      memberEpoch: member.memberEpoch,
      instanceId: member.instanceId,
      memberType: member.memberType,
      topics: member.subscribedTopicNames.toSorted(),
      assignment: this.#words(member.assignment.topicPartitions),
      target: this.#words(member.targetAssignment.topicPartitions),
    }))
    const sorted = described.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1))
    return { listed, errorCode: errorName(errorCode), groupState, groupEpoch, assignmentEpoch, assignorName, members: sorted }
  }
}

describe.skipIf(reason !== undefined)(
  `the same requests to the embedded broker and to Kafka${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    let sides: readonly [Side, Side]
    beforeAll(async () => {
      sides = await Promise.all([Side.start(embedded), Side.start(realKafka)])
      for (const side of sides) {
        await side.createTopics(SEEDS.map(topicOf))
        await side.untilCoordinating(topicOf(SEEDS.at(-1)!))
      }
    })
    afterAll(async () => {
      await Promise.all(sides?.map((side) => side.stop()) ?? [])
    })

    test.each(SEEDS)('members of both protocols get the same replies in the same groups (seed %i)', async (seed) => {
      const random = seededRandom(seed)
      const pick = (count: number): number => Math.floor(random() * count)
      const topic = topicOf(seed)
      const [ours, kafkas] = sides.map((side) => new Exchange(side, `group-${seed}`, topic)) as [Exchange, Exchange]
      const history: string[] = []
      for (let step = 0; step < STEPS; step++) {
        const [what, who, detail] = [pick(17), pick(4), pick(6)]
        const [mine, theirs] = await Promise.all([ours.step(what, who, detail), kafkas.step(what, who, detail)])
        history.push(`${what} ${who} ${detail}: ${show(theirs)}`)
        expect(mine, `step ${step}, after\n${history.slice(-12).join('\n')}`).toEqual(theirs)
      }
      // So many requests that only refusals came of them would show nothing.
      expect(history.filter((line) => line.includes('"NONE"')).length).toBeGreaterThan(STEPS / 4)
    })
  },
)

function topicOf(seed: number): string {
  return `exchange-${seed}`
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? Number(item) : item))
}

function seededRandom(seed: number): () => number {
  let state = seed * 7919
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
}
