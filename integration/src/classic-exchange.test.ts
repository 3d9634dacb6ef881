import { ErrorCode, errorName, ZERO_UUID } from '@millrace/protocol'
import { describeGroupsApi } from '@millrace/protocol/apis/describe-groups'
import { findCoordinatorApi } from '@millrace/protocol/apis/find-coordinator'
import { heartbeatApi } from '@millrace/protocol/apis/heartbeat'
import { joinGroupApi, type JoinGroupRequest } from '@millrace/protocol/apis/join-group'
import { leaveGroupApi } from '@millrace/protocol/apis/leave-group'
import {
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolSubscription,
} from '@millrace/protocol/apis/consumer-protocol-subscription'
import { createTopicsApi } from '@millrace/protocol/apis/create-topics'
import { metadataApi } from '@millrace/protocol/apis/metadata'
import { offsetCommitApi } from '@millrace/protocol/apis/offset-commit'
import { syncGroupApi } from '@millrace/protocol/apis/sync-group'
import { Reader, Writer } from '@millrace/protocol/internal'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { embedded } from './providers/embedded.ts'
import type { Provider, RunningBroker } from './providers/provider.ts'
import { realKafka } from './providers/real-kafka.ts'
import { RawClient } from './raw-client.ts'
import { until } from './scenarios/clients.ts'

const TOPIC = 'classic-exchange'
const STEPS = 400
/** No timer ends while a test runs. */
const LONG_MS = 1_800_000
const SEEDS = Array.from({ length: process.env['MILLRACE_NIGHTLY'] ? 40 : 3 }, (_, index) => index + 1)
const PROPERTIES = { 'group.initial.rebalance.delay.ms': '0' }
/** With one thread each, what Kafka receives first it handles first. */
const IN_ORDER = { 'num.network.threads': '1', 'num.io.threads': '1' }

const reason = await realKafka.available()

interface Actor {
  readonly name: string
  readonly instanceId: string | null
  readonly client: RawClient
  id: string
  generation: number
  protocol: string
  members: string[]
  /** Its connection waits for the reply to this. */
  waiting: string | null
}

/** The members of one classic group on one broker, each with a connection of its own. */
class Exchange {
  readonly #group: string
  readonly #actors: Actor[]
  readonly #admin: RawClient
  readonly #names = new Map<string, string>([['', '']])
  #leaderId: string | null = null
  /** Who may be in the group, by name. */
  readonly #members = new Set<string>()
  /** Replies that came since they were last looked at. */
  #came: unknown[] = []

  private constructor(group: string, admin: RawClient, actors: Actor[]) {
    this.#group = group
    this.#admin = admin
    this.#actors = actors
  }

  static async open(bootstrapServers: string, group: string): Promise<Exchange> {
    const actors = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (name, index): Promise<Actor> => {
        const client = await RawClient.open(bootstrapServers)
        const instanceId = index < 2 ? `instance-${name}` : null
        return { name, instanceId, client, id: '', generation: -1, protocol: '', members: [], waiting: null }
      }),
    )
    return new Exchange(group, await RawClient.open(bootstrapServers), actors)
  }

  close(): void {
    for (const { client } of [...this.#actors, { client: this.#admin }]) client.close()
  }

  /** Who waits, and for what. */
  get waiting(): string {
    return this.#actors.map(({ name, waiting }) => `${name}:${waiting ?? '-'}`).join(' ')
  }

  get cameCount(): number {
    return this.#came.length
  }

  take(): unknown[] {
    const came = this.#came.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    this.#came = []
    return came
  }

  begin(what: number, who: number, detail: number): void {
    const actor = this.#actors[who]!
    if (what === 8) return this.#send(null, 'describe', this.#describe())
    if (actor.waiting !== null) return
    if (what <= 2) return this.#send(actor, 'join', this.#join(actor, detail))
    if (what <= 4) return this.#send(actor, 'sync', this.#sync(actor, detail))
    if (what === 5) return this.#send(actor, 'heartbeat', this.#heartbeat(actor, detail))
    if (what === 6) return this.#send(actor, 'commit', this.#commit(actor, detail))
    if (detail < 3 && this.#mayLeave(actor)) return this.#send(actor, 'leave', this.#leave(actor, detail))
    // A static member comes back without what it knew. What a dynamic one leaves behind would be waited for.
    if (actor.instanceId !== null) Object.assign(actor, { id: '', generation: -1 })
  }

  /** Whom a group of several follows when its leader leaves, Kafka decides by the hashes of random ids. */
  #mayLeave(actor: Actor): boolean {
    if (this.#members.size <= 2) return true
    return this.#leaderId !== null && this.#names.has(this.#leaderId) && this.#names.get(this.#leaderId) !== actor.name
  }

  /**
   * Until the broker has everything that was sent, so that what waits there waits in this order. It sees both connections in one look at
   * its sockets, in either order, at the first question; the second it can only see in a later one.
   */
  async received(): Promise<void> {
    await this.#describe()
    await this.#describe()
  }

  #send(actor: Actor | null, kind: string, reply: Promise<unknown>): void {
    if (actor !== null) actor.waiting = kind
    const answered = (came: unknown): void => {
      if (actor !== null) actor.waiting = null
      this.#came.push({ of: actor?.name, kind, came })
    }
    // Who still waits when the test ends is cut off.
    reply.then(answered, (error: unknown) => answered(String(error)))
  }

  #name(id: string): string {
    return this.#names.get(id) ?? 'unknown'
  }

  async #join(actor: Actor, detail: number): Promise<unknown> {
    const names = [['range', 'roundrobin'], ['range'], ['roundrobin']][detail % 3]!
    const request: JoinGroupRequest = {
      groupId: this.#group,
      sessionTimeoutMs: LONG_MS,
      rebalanceTimeoutMs: LONG_MS,
      memberId: actor.id,
      groupInstanceId: actor.instanceId,
      protocolType: 'consumer',
      protocols: names.map((name) => ({ name, metadata: subscriptionOf(`${name} of ${actor.name}`) })),
      reason: null,
    }
    const wasMember = this.#members.has(actor.name)
    this.#members.add(actor.name)
    let reply = await actor.client.ask(joinGroupApi, 9, request)
    if (reply.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      reply = await actor.client.ask(joinGroupApi, 9, { ...request, memberId: reply.memberId })
    }
    const { errorCode, generationId, protocolType, protocolName, leader, skipAssignment, memberId, members } = reply
    if (errorCode === 0) {
      this.#names.set(memberId, actor.name)
      this.#leaderId = leader
      const joined = { id: memberId, generation: generationId, protocol: protocolName ?? '' }
      Object.assign(actor, { ...joined, members: members.map((member) => member.memberId) })
    }
    if (errorCode !== 0 && !wasMember) this.#members.delete(actor.name)
    this.#refused(actor, errorCode)
    // Members are known by name once their own replies are there, so they are told by what they say about themselves.
    const said = members.map(({ groupInstanceId, metadata }) => `${groupInstanceId}: ${userDataOf(metadata)}`).sort()
    const isLeader = leader === memberId
    return { errorCode: errorName(errorCode), generationId, protocolType, protocolName, isLeader, skipAssignment, said }
  }

  async #sync(actor: Actor, detail: number): Promise<unknown> {
    const reply = await actor.client.ask(syncGroupApi, 5, {
      groupId: this.#group,
      generationId: actor.generation - (detail === 5 ? 1 : 0),
      memberId: actor.id,
      groupInstanceId: actor.instanceId,
      protocolType: 'consumer',
      protocolName: detail === 4 ? 'another' : actor.protocol,
      assignments: actor.members.map((memberId) => ({ memberId, assignment: Buffer.from(`for ${this.#name(memberId)}`) })),
    })
    this.#refused(actor, reply.errorCode)
    const { errorCode, protocolType, protocolName, assignment } = reply
    return { errorCode: errorName(errorCode), protocolType, protocolName, assigned: assignment.length > 0 }
  }

  async #heartbeat(actor: Actor, detail: number): Promise<unknown> {
    const generationId = actor.generation - (detail === 5 ? 1 : 0)
    const request = { groupId: this.#group, generationId, memberId: actor.id, groupInstanceId: actor.instanceId }
    const { errorCode } = await actor.client.ask(heartbeatApi, 4, request)
    this.#refused(actor, errorCode)
    return errorName(errorCode)
  }

  async #commit(actor: Actor, detail: number): Promise<unknown> {
    const partition = { partitionIndex: 0, committedOffset: BigInt(detail), committedLeaderEpoch: -1, committedMetadata: '' }
    const reply = await actor.client.ask(offsetCommitApi, 9, {
      groupId: this.#group,
      generationIdOrMemberEpoch: detail === 0 ? -1 : actor.generation,
      memberId: detail === 0 ? '' : actor.id,
      groupInstanceId: detail === 0 ? null : actor.instanceId,
      retentionTimeMs: -1n,
      topics: [{ name: TOPIC, topicId: ZERO_UUID, partitions: [partition] }],
    })
    return reply.topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorName(errorCode)))
  }

  async #leave(actor: Actor, detail: number): Promise<unknown> {
    const memberId = detail === 0 && actor.instanceId !== null ? '' : actor.id
    const members = [{ memberId, groupInstanceId: actor.instanceId, reason: 'because' }]
    const reply = await actor.client.ask(leaveGroupApi, 5, { groupId: this.#group, memberId: '', members })
    if (this.#names.get(this.#leaderId ?? '') === actor.name) this.#leaderId = null
    if (reply.members.every(({ errorCode }) => errorCode === 0)) this.#members.delete(actor.name)
    Object.assign(actor, { id: '', generation: -1 })
    return [errorName(reply.errorCode), reply.members.map(({ errorCode }) => errorName(errorCode))]
  }

  async #describe(): Promise<unknown> {
    const request = { groups: [this.#group], includeAuthorizedOperations: false }
    const [group] = (await this.#admin.ask(describeGroupsApi, 6, request)).groups
    const { errorCode, groupState, protocolType, protocolData, members } = group!
    const described = members.map(({ groupInstanceId, memberMetadata, memberAssignment }) => {
      return `${groupInstanceId}: ${userDataOf(memberMetadata)}${memberAssignment.length > 0 ? ', assigned' : ''}`
    })
    return { errorCode: errorName(errorCode), groupState, protocolType, protocolData, members: described.sort() }
  }

  #refused(actor: Actor, errorCode: number): void {
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID || errorCode === ErrorCode.FENCED_INSTANCE_ID) actor.id = ''
  }
}

async function prepare(provider: Provider, more: Readonly<Record<string, string>>): Promise<RunningBroker> {
  const running = await provider.start({ properties: { ...PROPERTIES, ...more } })
  const client = await RawClient.open(running.bootstrapServers)
  const topic = { name: TOPIC, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
  await client.ask(createTopicsApi, 7, { topics: [topic], timeoutMs: 10_000, validateOnly: false })
  await until(async () => {
    const topics = [{ name: TOPIC, topicId: ZERO_UUID }]
    const none = { includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false }
    const reply = await client.ask(metadataApi, 12, { topics, allowAutoTopicCreation: false, ...none })
    if (reply.topics[0]!.partitions.length === 0) return false
    const { coordinators } = await client.ask(findCoordinatorApi, 4, { key: '', keyType: 0, coordinatorKeys: ['any'] })
    if (coordinators[0]!.errorCode !== 0) return false
    const { groups } = await client.ask(describeGroupsApi, 6, { groups: ['any'], includeAuthorizedOperations: false })
    return groups[0]!.errorCode === ErrorCode.GROUP_ID_NOT_FOUND
  }, 'the coordinator')
  client.close()
  return running
}

describe.skipIf(reason !== undefined)(
  `the same classic members at the embedded broker and at Kafka${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    let brokers: RunningBroker[] = []
    beforeAll(async () => {
      brokers = await Promise.all([prepare(embedded, {}), prepare(realKafka, IN_ORDER)])
    })
    afterAll(async () => {
      await Promise.all(brokers.map((broker) => broker.stop()))
    })

    test.each(SEEDS)('get the same replies, and wait for the same ones (seed %i)', async (seed) => {
      const random = seededRandom(seed)
      const pick = (count: number): number => Math.floor(random() * count)
      const sides = await Promise.all(brokers.map((broker) => Exchange.open(broker.bootstrapServers, `classic-${seed}`)))
      const [ours, kafkas] = sides as [Exchange, Exchange]
      const history: string[] = []
      for (let step = 0; step < STEPS; step++) {
        const [what, who, detail] = [pick(9), pick(4), pick(6)]
        for (const side of sides) side.begin(what, who, detail)
        await Promise.all(sides.map((side) => side.received()))
        const agree = (): boolean => ours.waiting === kafkas.waiting && ours.cameCount === kafkas.cameCount
        const context = (): string => `step ${step}: ${what} ${who} ${detail}, after\n${history.slice(-14).join('\n')}`
        // Ours has answered whatever it will; Kafka's replies may follow by a little.
        if (!agree())
          await until(agree, `ours (${ours.waiting}) and Kafka's (${kafkas.waiting}) to wait for the same at ${context()}`)
        const [mine, theirs] = [ours.take(), kafkas.take()]
        history.push(`${what} ${who} ${detail}: ${JSON.stringify(theirs)} ${kafkas.waiting}`)
        expect(mine, context()).toEqual(theirs)
      }
      for (const side of sides) side.close()
      // So many refusals that nothing came of the rest would show nothing.
      expect(history.filter((line) => line.includes('"NONE"')).length).toBeGreaterThan(STEPS / 10)
    })
  },
)

/** Kafka reads the subscription of each member; one that it cannot read would keep the group from ever being complete. */
function subscriptionOf(userData: string): Buffer {
  const writer = new Writer()
  writer.int16(1)
  const subscription = { topics: [TOPIC], userData: Buffer.from(userData), ownedPartitions: [], generationId: -1, rackId: null }
  encodeConsumerProtocolSubscription(writer, subscription, 1)
  return writer.toBuffer()
}

function userDataOf(metadata: Buffer): string {
  if (metadata.length === 0) return ''
  const reader = new Reader(metadata)
  return String(decodeConsumerProtocolSubscription(reader, reader.int16()).userData)
}

function seededRandom(seed: number): () => number {
  let state = seed * 7919
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
}
