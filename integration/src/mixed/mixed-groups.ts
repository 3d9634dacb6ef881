import { vi } from 'vitest'
import { missing } from '../foreign/tools.ts'
import type { Provider } from '../providers/provider.ts'
import { describeOn } from '../suite.ts'
import { rollingRestarts } from './rolling-restarts.ts'
import { rollingUpgrades } from './rolling-upgrades.ts'
import { runInGroup } from './run-in-group.ts'
import { GROUP_PROPERTIES, TEST_LIMIT_MS } from './ways.ts'

/** Groups of a member of ours, one of Java's and one of librdkafka on a topic that is written to all the time, on one provider. */
export async function describeMixedGroups(provider: Provider): Promise<void> {
  const needs = [missing.java, missing['confluent-kafka']]
  const options = { properties: GROUP_PROPERTIES }
  await describeOn(
    'groups of our, Java and librdkafka members',
    provider,
    needs,
    (broker) => {
      vi.setConfig({ testTimeout: TEST_LIMIT_MS })
      rollingRestarts(broker)
      rollingUpgrades(broker)
      runInGroup(broker)
    },
    options,
  )
}
