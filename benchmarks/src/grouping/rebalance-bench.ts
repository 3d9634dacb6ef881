import type { BrokerProperties } from '../brokers.ts'
import {
  GROUP_FLOW_MS,
  GROUP_HEARTBEAT_MS,
  GROUP_LIMIT_MS,
  GROUP_MEMBERS,
  GROUP_PARTITIONS,
  GROUP_REST_MS,
  INDEX_INTERVAL_BYTES,
} from '../limits.ts'
import type { BrokerKind, Options } from '../options.ts'
import { withBroker, type Session } from '../producing/session.ts'
import type { Attempt } from '../run-client.ts'
import { rotate } from '../statistics.ts'
import { GROUP_PROTOCOLS, type Change, type GroupProtocol } from './commands.ts'
import { Flow } from './flow.ts'
import { Members, SIDES, type Side } from './members.ts'

/** One round of one side: the group forms, is left alone, loses its last member and gets another one. */
export interface GroupRun {
  readonly formMs: number
  readonly rest: Change
  readonly leave: Change
  readonly join: Change
}

/** Protocol → side → one attempt per round. */
export type RebalanceResults = ReadonlyMap<GroupProtocol, ReadonlyMap<Side, readonly Attempt<GroupRun>[]>>

const TOPIC = 'grouping'

/** The heartbeats of KIP-848 are the broker's to decide, and neither broker shall wait before it assigns. */
const COMMON: BrokerProperties = {
  'group.consumer.heartbeat.interval.ms': String(GROUP_HEARTBEAT_MS),
  'group.consumer.assignment.interval.ms': '0',
}
const CONFIGS: Readonly<Record<BrokerKind, BrokerProperties>> = {
  embedded: COMMON,
  real: {
    ...COMMON,
    'group.consumer.min.heartbeat.interval.ms': String(GROUP_HEARTBEAT_MS),
    'group.consumer.min.assignment.interval.ms': '0',
    // A light flow makes all partitions write the first entries of their indexes at the same time, which can take half a minute.
    'log.index.interval.bytes': String(INDEX_INTERVAL_BYTES),
  },
}

/** A group of ours and one of Java's by turns, on one topic with a light flow of records. */
export async function benchRebalance(kind: BrokerKind, options: Options, log: (line: string) => void): Promise<RebalanceResults> {
  const results = new Map(
    GROUP_PROTOCOLS.map((protocol) => [protocol, new Map(SIDES.map((side): [Side, Attempt<GroupRun>[]] => [side, []]))]),
  )
  const body = async (session: Session): Promise<void> => {
    await session.topics.create(TOPIC, GROUP_PARTITIONS)
    const flow = new Flow(session.broker.bootstrapServers, TOPIC, GROUP_PARTITIONS, GROUP_FLOW_MS)
    const sides = new Map<Side, Members>()
    try {
      // The first round is for the JIT, on every side.
      for (let round = -1; round < options.rounds; round++) {
        for (const protocol of GROUP_PROTOCOLS) {
          for (const side of rotate(SIDES, Math.max(0, round))) {
            const run = await attempt(sides, side, session, `${side}-${protocol}-${round}`, protocol)
            log(`${kind} round ${round + 1} ${protocol} ${side}: ${describe(run)}`)
            if (round >= 0) results.get(protocol)!.get(side)!.push(run)
          }
        }
      }
    } finally {
      for (const members of sides.values()) await members.stop()
      await flow.stop()
    }
  }
  await withBroker(kind, 'all', body, CONFIGS[kind])
  return results
}

/** What fails ends its process; the next round has another one. */
async function attempt(
  sides: Map<Side, Members>,
  side: Side,
  session: Session,
  group: string,
  protocol: GroupProtocol,
): Promise<Attempt<GroupRun>> {
  let members = sides.get(side)
  try {
    if (members === undefined) sides.set(side, (members = await Members.start(side, settingsFor(session))))
    const { settleMs } = await members.form(group, protocol)
    const rest = await members.rest(GROUP_REST_MS)
    const leave = await members.leave()
    const join = await members.join()
    await members.disband()
    return { formMs: settleMs, rest, leave, join }
  } catch (error) {
    sides.delete(side)
    await members?.kill()
    return String(error)
  }
}

function settingsFor({ broker }: Session): Parameters<typeof Members.start>[1] {
  return {
    bootstrapServers: broker.bootstrapServers,
    topic: TOPIC,
    partitions: GROUP_PARTITIONS,
    members: GROUP_MEMBERS,
    heartbeatIntervalMs: GROUP_HEARTBEAT_MS,
    limitMs: GROUP_LIMIT_MS,
  }
}

function describe(run: Attempt<GroupRun>): string {
  if (typeof run === 'string') return `FAILED ${run}`
  const parts = [run.formMs, run.leave.settleMs, run.join.settleMs, run.leave.untouchedGapMs, run.join.untouchedGapMs]
  const [form, leave, join, leaveGap, joinGap] = parts.map((ms) => ms.toFixed(0))
  return `forms in ${form} ms, settles in ${leave} ms and ${join} ms, untouched members without records for ${leaveGap} ms and ${joinGap} ms`
}
