import { expect, test } from 'vitest'
import type { SuiteBroker } from '../suite.ts'
import { anomalies, repeats } from './ledger.ts'
import { MixedGroup } from './mixed-group.ts'
import { CONSUMER_PROTOCOL, COOPERATIVE_STICKY, isNightly, KINDS, RANGE, ROUND_ROBIN, type Kind, type Way } from './ways.ts'

interface Plan {
  readonly from: Way
  /** The order in which members are moved. */
  readonly kinds: readonly Kind[]
}

/**
 * As the leader of a classic group librdkafka hands each member the user data of its subscription back in its assignment. Sticky assignors of Java,
 * and ours, have such data, and a Kafka does not move a group with user data in its assignments (ConsumerGroup.fromClassicGroup): there
 * librdkafka's members have to go first.
 */
const COOPERATIVE: Plan = { from: COOPERATIVE_STICKY, kinds: ['librdkafka', 'ours', 'java'] }

const PLANS: readonly Plan[] = isNightly
  ? [
      COOPERATIVE,
      { from: COOPERATIVE_STICKY, kinds: ['librdkafka', 'java', 'ours'] },
      ...[RANGE, ROUND_ROBIN].flatMap((from) =>
        KINDS.map((first) => ({ from, kinds: [first, ...KINDS.filter((kind) => kind !== first)] })),
      ),
    ]
  : [COOPERATIVE]

/** Groups that are moved from the classic protocol to the consumer protocol and back, a member at a time, while they work (KIP-848). */
export function rollingUpgrades(broker: SuiteBroker): void {
  const plans = PLANS.map((plan) => [plan.from.name, plan.kinds.join(', '), plan] as const)
  test.each(plans)('move from %s to the protocol consumer and back (%s)', async (_name, _kinds, { from, kinds }) => {
    const group = new MixedGroup(broker, from, KINDS)
    await group.start()
    expect(await typeOf(group)).toEqual({ type: 'classic', partitionAssignor: from.name })
    for (const kind of kinds) {
      await group.move(kind, CONSUMER_PROTOCOL)
      // The first member of the new protocol takes the group with it.
      expect(await typeOf(group)).toEqual({ type: 'consumer', partitionAssignor: 'uniform' })
    }
    for (const kind of kinds) {
      expect(await typeOf(group)).toEqual({ type: 'consumer', partitionAssignor: 'uniform' })
      await group.move(kind, from)
    }
    // The last one has left nobody there who would need it.
    expect(await typeOf(group)).toEqual({ type: 'classic', partitionAssignor: from.name })
    expect(repeats(group.ledger).filter(({ before }) => from.repeats === null || !before.startsWith(from.repeats))).toEqual([])
    const committed = await group.finish()
    expect(anomalies(group.ledger)).toEqual([])
    expect(committed).toEqual(group.ends())
  })
}

async function typeOf(group: MixedGroup): Promise<{ type: string; partitionAssignor: string }> {
  const { type, partitionAssignor } = (await group.admin.describeGroups([group.name])).get(group.name)
  return { type, partitionAssignor }
}
