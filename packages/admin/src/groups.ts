import { ErrorCode, KafkaError } from '@millrace/protocol'
import { deleteGroupsApi } from '@millrace/protocol/apis/delete-groups'
import { listGroupsApi, type ListGroupsRequest } from '@millrace/protocol/apis/list-groups'
import { errorAbout, type ClusterClient } from '@millrace/client/internal'
import {
  checkName,
  checkNames,
  checkOptions,
  collectError,
  finish,
  invalidArgument,
  ITEM_FLAGS,
  ownError,
  waitOf,
  waitsOf,
  type CallOptions,
  type ItemCallOptions,
  type Wait,
} from './context.ts'
import { ResultCollector, type ItemResults } from './item-results.ts'

export interface GroupListing {
  readonly groupId: string
  /** What the members are: `'consumer'`, `'connect'`, …; empty for a group that only has offsets. */
  readonly protocolType: string
  /** `Stable`, `Empty`, `PreparingRebalance`, …; empty if the broker is older than Kafka 2.6. */
  readonly state: string
  /** `'classic'`, `'consumer'` (KIP-848), `'share'`, `'streams'`; empty if the broker is older than Kafka 3.8. */
  readonly type: string
}

export interface ListGroupsOptions extends CallOptions {
  /** Only groups in these states. Needs Kafka 2.6. */
  readonly states?: readonly string[]
  /** Only groups of these types. Needs Kafka 3.8. */
  readonly types?: readonly string[]
  /** True (default): the call rejects if a broker could not say which groups it has. False: see `errors` in the result. */
  readonly throwOnFailure?: boolean
}

export interface GroupListings {
  /** By group id. */
  readonly groups: readonly GroupListing[]
  /** The brokers that could not say which groups they coordinate, by node id: those groups are missing. */
  readonly errors: ReadonlyMap<number, KafkaError>
}

/** See `Admin.listGroups`. */
export async function listGroups(client: ClusterClient, options: ListGroupsOptions): Promise<GroupListings> {
  checkOptions(options, ITEM_FLAGS, ['states', 'types'])
  checkFilter('states', options.states)
  checkFilter('types', options.types)
  const nextWait = waitsOf(client, options)
  await client.refreshMetadata([], nextWait())
  const groups = new Map<string, GroupListing>()
  const errors = new Map<number, KafkaError>()
  const calls = [...client.nodes.keys()].map(async (node) => {
    try {
      for (const group of await groupsOf(client, node, options, nextWait())) groups.set(group.groupId, group)
    } catch (error) {
      errors.set(node, ownError(error))
    }
  })
  await Promise.all(calls)
  const [failure] = errors.values()
  if (failure !== undefined && options.throwOnFailure !== false) throw failure
  const sorted = [...groups.values()].sort((a, b) => (a.groupId < b.groupId ? -1 : 1))
  return { groups: sorted, errors }
}

/** See `Admin.deleteGroups`. */
export async function deleteGroups(
  client: ClusterClient,
  groupIds: readonly string[],
  options: ItemCallOptions,
): Promise<ItemResults<void>> {
  checkOptions(options, ITEM_FLAGS)
  checkNames('group', groupIds)
  const collector = new ResultCollector<void>(groupIds)
  await perGroup(groupIds, collector, async (group) => {
    const response = await client.send(
      deleteGroupsApi,
      { groupsNames: [group] },
      { group },
      {
        ...waitOf(options),
        errorOf: ({ results }) => results[0]?.errorCode ?? ErrorCode.NONE,
      },
    )
    for (const result of response.results) {
      if (!collectError(collector, result.groupId, `group ${result.groupId}`, result))
        collector.succeed(result.groupId, undefined)
    }
  })
  return finish(collector, options)
}

/**
 * Runs a call per group, since each has its own coordinator. One group's failure is its own; the caller's abort and the client's close end everything.
 */
export async function perGroup(
  groupIds: readonly string[],
  collector: ResultCollector<never> | ResultCollector<unknown>,
  call: (groupId: string) => Promise<void>,
): Promise<void> {
  const calls = groupIds.map(async (groupId) => {
    try {
      await call(groupId)
    } catch (error) {
      collector.fail(groupId, ownError(error))
    }
  })
  await Promise.all(calls)
}

async function groupsOf(client: ClusterClient, node: number, options: ListGroupsOptions, wait: Wait): Promise<GroupListing[]> {
  const response = await client.send(listGroupsApi, (version) => listGroupsRequest(version, options), { node }, wait)
  if (response.errorCode !== ErrorCode.NONE) throw errorAbout(response.errorCode, `listing the groups of node ${node}`)
  return response.groups.map(({ groupId, protocolType, groupState, groupType }) => ({
    groupId,
    protocolType,
    state: groupState,
    type: groupType,
  }))
}

function listGroupsRequest(version: number, { states = [], types = [] }: ListGroupsOptions): ListGroupsRequest {
  // A filter that the broker cannot apply would be dropped in silence otherwise.
  if (version < 4 && states.length > 0)
    throw new KafkaError('UNSUPPORTED_VERSION', 'the broker cannot filter groups by state; Kafka 2.6 can')
  if (version < 5 && types.length > 0)
    throw new KafkaError('UNSUPPORTED_VERSION', 'the broker cannot filter groups by type; Kafka 3.8 can')
  return { statesFilter: [...states], typesFilter: [...types] }
}

function checkFilter(option: string, values: readonly string[] | undefined): void {
  if (values === undefined) return
  if (!Array.isArray(values)) throw invalidArgument(option, values, 'an array')
  for (const value of values) checkName(`one of ${option}`, value)
}
