/** ListGroups v0-5, with filters by state (v4+) and type (v5+). All groups here are classic ones. */
import { ErrorCode } from '@millrace/protocol'
import { listGroupsApi, type ListGroupsRequest, type ListGroupsResponse } from '@millrace/protocol/apis/list-groups'
import type { Handler } from '../core/handler.ts'
import { wholeErrors } from '../faults/error-shape.ts'

const CLASSIC = 'classic'

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
      if (types.size > 0 && !types.has(CLASSIC)) continue
      groups.push({ groupId: group.id, protocolType: group.protocolType ?? '', groupState: group.state, groupType: CLASSIC })
    }
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, groups }
  },
}
