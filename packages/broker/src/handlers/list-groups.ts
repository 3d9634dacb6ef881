/** ListGroups v0-5, with filters by state (v4+) and type (v5+). */
import { ErrorCode } from '@millrace/protocol'
import { listGroupsApi, type ListGroupsRequest, type ListGroupsResponse } from '@millrace/protocol/apis/list-groups'
import type { Handler } from '../core/handler.ts'
import { wholeErrors } from '../faults/error-shape.ts'

/** Group.GroupType: what ListGroups calls the types. */
const TYPE_NAMES = { classic: 'classic', consumer: 'consumer' } as const

export const listGroupsHandler: Handler<ListGroupsRequest, ListGroupsResponse> = {
  api: listGroupsApi,
  minVersion: 0,
  maxVersion: 5,
  errors: wholeErrors((errorCode) => ({ throttleTimeMs: 0, errorCode, groups: [] })),
  handle(request, { broker }) {
    const states = new Set(request.statesFilter.map((state) => state.toLowerCase()))
    const types = new Set(request.typesFilter.map((type) => type.toLowerCase()))
    const groups: ListGroupsResponse['groups'] = []
    for (const group of broker.groups.groups()) {
      if (states.size > 0 && !states.has(group.state.toLowerCase())) continue
      const groupType = TYPE_NAMES[group.type]
      if (types.size > 0 && !types.has(groupType)) continue
      groups.push({ groupId: group.id, protocolType: group.protocolType ?? '', groupState: group.state, groupType })
    }
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, groups }
  },
}
