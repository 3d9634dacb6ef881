import { ErrorCode } from '@millrace/protocol'
import type { ClusterClient } from '@millrace/client/internal'
import { describeConfigsApi, type DescribeConfigsResponse } from '@millrace/protocol/apis/describe-configs'

const GROUP_RESOURCE = 32
const SESSION_TIMEOUT = 'consumer.session.timeout.ms'

/**
 * How long the coordinator waits for a member of the group under KIP-848. Its answers do not say so, but the group's configuration does, defaults
 * included. Null where that cannot be had: it takes DescribeConfigs on the group, and a broker that has such configurations.
 */
export async function sessionLength(cluster: ClusterClient, groupId: string): Promise<number | null> {
  const resource = { resourceType: GROUP_RESOURCE, resourceName: groupId, configurationKeys: [SESSION_TIMEOUT] }
  const request = { resources: [resource], includeSynonyms: false, includeDocumentation: false }
  try {
    // The coordinator's own word: the default is each broker's.
    const coordinator = await cluster.coordinatorFor('group', groupId)
    return valueIn(await cluster.request(coordinator, describeConfigsApi, request))
  } catch {
    return null
  }
}

function valueIn({ results }: DescribeConfigsResponse): number | null {
  const [result] = results
  if (result?.errorCode !== ErrorCode.NONE) return null
  const value = Number(result.configs.find(({ name }) => name === SESSION_TIMEOUT)?.value)
  return Number.isSafeInteger(value) && value > 0 ? value : null
}
