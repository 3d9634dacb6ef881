/** DescribeGroups v0-6. What members said is shown while the group is stable; what they got last, always. An unknown group is Dead, from v6 an error; so is a consumer group. */
import { ErrorCode } from '@millrace/protocol'
import {
  describeGroupsApi,
  type DescribedGroup,
  type DescribeGroupsRequest,
  type DescribeGroupsResponse,
} from '@millrace/protocol/apis/describe-groups'
import type { ClassicGroup } from '../coordinator/classic-group.ts'
import type { Handler } from '../core/handler.ts'
import { FAULT_MESSAGE, GROUPS, itemErrors } from '../faults/error-shape.ts'
import { GROUP_OPERATIONS, OPERATIONS_OMITTED } from './authorized-operations.ts'

const NOT_FOUND_SINCE = 6
const EMPTY: Buffer = Buffer.alloc(0)

export const describeGroupsHandler: Handler<DescribeGroupsRequest, DescribeGroupsResponse> = {
  api: describeGroupsApi,
  minVersion: 0,
  maxVersion: 6,
  errors: itemErrors({
    ...GROUPS,
    items: ({ groups }) => groups,
    withItems: (request, groups) => ({ ...request, groups }),
    answers: ({ groups }) => groups,
    failed: (groupId, errorCode, { version }) => {
      return absent(groupId, errorCode, version >= NOT_FOUND_SINCE ? FAULT_MESSAGE : null)
    },
  }),
  handle(request, { broker, version }) {
    const operations = request.includeAuthorizedOperations ? GROUP_OPERATIONS : OPERATIONS_OMITTED
    const groups = request.groups.map((groupId) => {
      const group = broker.groups.group(groupId)
      if (group?.type === 'classic') return describe(group, operations)
      if (groupId === '') return absent(groupId, ErrorCode.INVALID_GROUP_ID, null)
      if (version < NOT_FOUND_SINCE) return absent(groupId, ErrorCode.NONE, null)
      const why = group === undefined ? 'not found' : 'is not a classic group'
      return absent(groupId, ErrorCode.GROUP_ID_NOT_FOUND, `Group ${groupId} ${why}.`)
    })
    return { throttleTimeMs: 0, groups }
  },
}

function absent(groupId: string, errorCode: number, errorMessage: string | null): DescribedGroup {
  return {
    errorCode,
    errorMessage,
    groupId,
    groupState: 'Dead',
    protocolType: '',
    protocolData: '',
    members: [],
    authorizedOperations: OPERATIONS_OMITTED,
  }
}

function describe(group: ClassicGroup, authorizedOperations: number): DescribedGroup {
  const protocol = group.state === 'Stable' ? group.protocol : null
  return {
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    groupId: group.id,
    groupState: group.state,
    protocolType: group.protocolType ?? '',
    protocolData: protocol ?? '',
    members: [...group.members.values()].map((member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: protocol === null ? EMPTY : member.metadata(protocol),
      memberAssignment: member.assignment,
    })),
    authorizedOperations,
  }
}
