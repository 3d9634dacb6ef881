import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { javaArguments } from '@millrace/testkit'
import { onTestFinished } from 'vitest'
import { mainClassOf, python } from '../foreign/tools.ts'
import type { OurMemberSettings, RunSettings } from './member-events.ts'
import { MemberProcess } from './member-process.ts'

/** Whether every way goes through every restart. */
export const isNightly: boolean = process.env['MILLRACE_NIGHTLY'] === '1'

/** For a test of a group: so many restarts, each with the time that a busy machine may take. */
export const TEST_LIMIT_MS: number = isNightly ? 900_000 : 240_000

export type Kind = 'ours' | 'java' | 'librdkafka'

export const KINDS: readonly Kind[] = ['ours', 'java', 'librdkafka']

/** How a group assigns: each in the words of the three clients. */
export interface Way {
  readonly name: string
  /** Null for the protocol consumer. */
  readonly classicName: keyof typeof classNames | null
  /**
   * Whose records may be read again though nobody was killed. Java's classic consumer commits by itself before it joins, goes on to hand out
   * records of what it keeps, and gives partitions up after the join without another commit (ConsumerCoordinator.onJoinPrepare, onJoinComplete).
   */
  readonly repeats: Kind | null
  readonly ours: Readonly<Record<string, unknown>>
  /** Arguments of VerifiableConsumer. */
  readonly java: readonly string[]
  /** Lines of its configuration. */
  readonly javaProperties: Readonly<Record<string, string>>
  readonly librdkafka: Readonly<Record<string, unknown>>
}

/** Often enough that a test need not wait for one, seldom enough that a busy machine keeps up. */
const HEARTBEAT_MS = 300
/** The smallest that brokers take without being told: who was killed is waited for so long. */
const SESSION_MS = 6_000
/** The default: longer than a broker is away. */
const PATIENT_SESSION_MS = 45_000
const COMMIT_INTERVAL_MS = 200

const classNames = {
  range: 'RangeAssignor',
  roundrobin: 'RoundRobinAssignor',
  'cooperative-sticky': 'CooperativeStickyAssignor',
} as const

function classic(name: keyof typeof classNames, sessionMs: number = SESSION_MS): Way {
  return {
    name,
    classicName: name,
    repeats: name === 'cooperative-sticky' ? 'java' : null,
    ours: { partitionAssignors: [name], heartbeatIntervalMs: HEARTBEAT_MS, sessionTimeoutMs: sessionMs },
    java: ['--assignment-strategy', `org.apache.kafka.clients.consumer.${classNames[name]}`, '--session-timeout', `${sessionMs}`],
    javaProperties: { 'heartbeat.interval.ms': String(HEARTBEAT_MS) },
    librdkafka: {
      'partition.assignment.strategy': name,
      'heartbeat.interval.ms': HEARTBEAT_MS,
      'session.timeout.ms': sessionMs,
    },
  }
}

export const RANGE: Way = classic('range')
export const ROUND_ROBIN: Way = classic('roundrobin')
export const COOPERATIVE_STICKY: Way = classic('cooperative-sticky')
export const CONSUMER_PROTOCOL: Way = {
  name: 'the protocol consumer',
  classicName: null,
  repeats: null,
  ours: { groupProtocol: 'consumer' },
  java: ['--group-protocol', 'consumer'],
  javaProperties: {},
  librdkafka: { 'group.protocol': 'consumer' },
}

/**
 * The same for static members, which are waited for though nobody was killed for good. A static member of librdkafka whose session ends while the
 * broker is away is fenced by itself for ever: it joins anew, and commits what it had with its former member id.
 */
export function patient(way: Way): Way {
  return way.classicName === null ? way : classic(way.classicName, PATIENT_SESSION_MS)
}

export const WAYS: readonly Way[] = [RANGE, ROUND_ROBIN, COOPERATIVE_STICKY, CONSUMER_PROTOCOL]

/** What the broker decides for members of the protocol consumer, as the classic ones do for themselves. */
export const GROUP_PROPERTIES: Readonly<Record<string, string>> = {
  'group.consumer.heartbeat.interval.ms': String(HEARTBEAT_MS),
  'group.consumer.session.timeout.ms': String(SESSION_MS),
  'group.consumer.assignment.interval.ms': '0',
}

export interface MemberOptions {
  readonly bootstrapServers: string
  readonly topic: string
  readonly group: string
  readonly way: Way
  /** A static member's. */
  readonly instanceId: string | null
  /** For ours: how it consumes. */
  readonly run: RunSettings | null
}

/** Starts a member of a kind, which ends with the test. */
export async function startMember(kind: Kind, name: string, options: MemberOptions): Promise<MemberProcess> {
  const member = new MemberProcess(name, ...(await commandOf[kind](options)))
  onTestFinished(async () => {
    if (member.endedAt === null) await member.kill()
  })
  return member
}

const commandOf: Readonly<Record<Kind, (options: MemberOptions) => Promise<[command: string, args: string[]]>>> = {
  ours: async ({ bootstrapServers, topic, group, way, instanceId, run }) => {
    const settings: OurMemberSettings = {
      bootstrapServers,
      topic,
      groupId: group,
      options: {
        autoCommitIntervalMs: COMMIT_INTERVAL_MS,
        ...way.ours,
        ...(instanceId === null ? {} : { groupInstanceId: instanceId }),
      },
      run,
    }
    const program = join(import.meta.dirname, 'our-member.ts')
    return [process.execPath, ['--conditions=@millrace/source', program, JSON.stringify(settings)]]
  },
  java: async ({ bootstrapServers, topic, group, way, instanceId }) => {
    const home = mkdtempSync(join(tmpdir(), 'millrace-member-'))
    onTestFinished(() => rmSync(home, { recursive: true, force: true }))
    const file = join(home, 'consumer.properties')
    const properties = { ...way.javaProperties, 'auto.commit.interval.ms': COMMIT_INTERVAL_MS }
    writeFileSync(
      file,
      Object.entries(properties)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    )
    const where = ['--bootstrap-server', bootstrapServers, '--topic', topic, '--group-id', group, '--command-config', file]
    const how = ['--verbose', '--enable-autocommit', '--reset-policy', 'earliest']
    const who = instanceId === null ? [] : ['--group-instance-id', instanceId]
    const java = await javaArguments({ logLevel: 'WARN' })
    return ['java', [...java, mainClassOf('kafka-verifiable-consumer'), ...where, ...how, ...who, ...way.java]]
  },
  librdkafka: async ({ bootstrapServers, topic, group, way, instanceId }) => {
    const config = {
      'bootstrap.servers': bootstrapServers,
      'group.id': group,
      // No timer; librdkafka commits what it gives up, and its member, which says why, everything in between.
      'auto.commit.interval.ms': 0,
      'fetch.wait.max.ms': 100,
      // 10 s by default: longer than the shortest session.
      'reconnect.backoff.max.ms': 1_000,
      ...way.librdkafka,
      ...(instanceId === null ? {} : { 'group.instance.id': instanceId }),
    }
    const program = join(import.meta.dirname, 'librdkafka_member.py')
    return [python, [program, topic, JSON.stringify(config), String(COMMIT_INTERVAL_MS)]]
  },
}
