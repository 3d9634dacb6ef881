import { missing } from '../foreign/tools.ts'
import type { Provider } from '../providers/provider.ts'
import { describeOn } from '../suite.ts'
import { administration } from './administration.ts'
import { groups } from './groups.ts'
import { interoperation, interoperationWithKcat } from './interoperation.ts'
import { positions } from './positions.ts'
import { produceAndConsume } from './produce-consume.ts'
import { produceVersions } from './produce-versions.ts'
import { running } from './running.ts'

/** Every scenario on one provider. Those that need foreign programs are suites of their own, so that they alone are skipped where one is missing. */
export async function describeScenarios(provider: Provider): Promise<void> {
  await describeOn('scenarios', provider, [], (broker) => {
    produceAndConsume(broker)
    produceVersions(broker)
    groups(broker)
    positions(broker)
    running(broker)
    administration(broker)
  })
  await describeOn('interoperation', provider, [missing.java], interoperation)
  await describeOn('interoperation with kcat', provider, [missing.kcat], interoperationWithKcat)
}
