/** DeleteGroups v0-3: groups without members, with all their offsets. */
import { ErrorCode } from '@millrace/protocol'
import { deleteGroupsApi, type DeleteGroupsRequest, type DeleteGroupsResponse } from '@millrace/protocol/apis/delete-groups'
import type { Handler } from '../core/handler.ts'
import { FAULT_MESSAGE, GROUPS, itemErrors } from '../faults/error-shape.ts'

const MESSAGES: ReadonlyMap<number, string> = new Map([
  [ErrorCode.GROUP_ID_NOT_FOUND, 'The group does not exist.'],
  [ErrorCode.NON_EMPTY_GROUP, 'The group has members.'],
])

export const deleteGroupsHandler: Handler<DeleteGroupsRequest, DeleteGroupsResponse> = {
  api: deleteGroupsApi,
  minVersion: 0,
  maxVersion: 3,
  errors: itemErrors({
    ...GROUPS,
    items: ({ groupsNames }) => groupsNames,
    withItems: (request, groupsNames) => ({ ...request, groupsNames }),
    answers: ({ results }) => results,
    failed: (groupId, errorCode) => ({ groupId, errorCode, errorMessage: FAULT_MESSAGE }),
  }),
  handle(request, { broker, now }) {
    const results = [...new Set(request.groupsNames)].map((groupId) => {
      const errorCode = broker.groups.deleteGroup(groupId, now)
      return { groupId, errorCode, errorMessage: MESSAGES.get(errorCode) ?? null }
    })
    return { throttleTimeMs: 0, results }
  },
}
