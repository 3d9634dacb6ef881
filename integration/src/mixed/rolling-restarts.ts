import { expect, test } from 'vitest'
import type { SuiteBroker } from '../suite.ts'
import { anomalies, repeats } from './ledger.ts'
import { MixedGroup } from './mixed-group.ts'
import { CONSUMER_PROTOCOL, COOPERATIVE_STICKY, isNightly, KINDS, patient, WAYS, type Kind, type Way } from './ways.ts'

/** What happens to a group after a roll of its members in order, step by step: members and brokers that are stopped, or killed. */
type Step = readonly ['broker' | Kind, 'stop' | 'kill']

interface Plan {
  readonly way: Way
  readonly isStatic?: boolean
  readonly steps: readonly Step[]
}

/** Each protocol, each kind of member and each kind of restart is there once; every way with all of them, every night. */
const SHORT: readonly Plan[] = [
  {
    way: COOPERATIVE_STICKY,
    steps: [
      ['broker', 'stop'],
      ['java', 'kill'],
    ],
  },
  {
    way: CONSUMER_PROTOCOL,
    steps: [
      ['broker', 'kill'],
      ['ours', 'kill'],
    ],
  },
  {
    way: COOPERATIVE_STICKY,
    isStatic: true,
    steps: [
      ['ours', 'kill'],
      ['broker', 'kill'],
      ['java', 'kill'],
      ['librdkafka', 'kill'],
    ],
  },
]

const LONG: readonly Plan[] = WAYS.flatMap((way) =>
  [false, true].map((isStatic) => {
    // In the protocol consumer a static member's id is taken until its session ends: who comes back earlier is refused (UNRELEASED_INSTANCE_ID).
    const harshly = isStatic && way.classicName === null ? 'stop' : 'kill'
    const hard = KINDS.map((kind) => [kind, harshly] as const)
    const gently = KINDS.map((kind) => [kind, 'stop'] as const)
    return { way, isStatic, steps: [...hard, ['broker', 'stop'], ...gently, ['broker', 'kill'], ...hard] }
  }),
)

/** Groups through restarts of their members and of the broker. */
export function rollingRestarts(broker: SuiteBroker): void {
  const plans = (isNightly ? LONG : SHORT).map((plan) => [titleOf(plan), plan] as const)
  test.each(plans)('read everything, in order, each partition by one at a time: %s', async (_, plan) => {
    const { way, isStatic = false } = plan
    const group = new MixedGroup(broker, isStatic ? patient(way) : way, KINDS, isStatic)
    await group.start()
    for (const kind of KINDS) await group.restart(kind, 'stop')
    // Whoever leaves or gives up a partition in order has committed what it read.
    expect(repeats(group.ledger).filter(({ before }) => way.repeats === null || !before.startsWith(way.repeats))).toEqual([])
    await carryOut(plan.steps, group, broker)
    const committed = await group.finish()
    expect(anomalies(group.ledger)).toEqual([])
    expect(committed).toEqual(group.ends())
  })
}

function titleOf({ way, isStatic = false, steps }: Plan): string {
  return `${way.name}${isStatic ? ', static members' : ''}; ${steps.map((step) => step.join(' ')).join(', ')}`
}

async function carryOut(steps: readonly Step[], group: MixedGroup, broker: SuiteBroker): Promise<void> {
  for (const [who, how] of steps) {
    if (who === 'broker') {
      await broker.restart(how)
      await group.untilShared()
    } else await group.restart(who, how)
  }
}
