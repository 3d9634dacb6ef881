import { ConfigError } from '@millrace/protocol'
import { expect, test } from 'vitest'
import type { PartitionAssignor } from '../assignors/assignor.ts'
import { resolveMembershipOptions, type MembershipOptions } from './membership-options.ts'

const mine: PartitionAssignor = { name: 'mine', protocols: ['cooperative'], assign: () => new Map() }

test("defaults are Java's", () => {
  const { assignors, ...config } = resolveMembershipOptions({})
  expect(assignors.map(({ name }) => name)).toEqual(['range', 'cooperative-sticky'])
  expect(config).toEqual({
    groupProtocol: 'classic',
    groupRemoteAssignor: null,
    sessionTimeoutMs: 45_000,
    heartbeatIntervalMs: 3_000,
    maxPollIntervalMs: 300_000,
    rebalanceListener: null,
    groupInstanceId: null,
  })
})

test('assignors are taken by name and as they are, in order', () => {
  const given = ['cooperative-sticky', mine] as const
  expect(resolveMembershipOptions({ partitionAssignors: given }).assignors.map(({ name }) => name)).toEqual([
    'cooperative-sticky',
    'mine',
  ])
  const all = ['range', 'roundrobin', 'sticky', 'cooperative-sticky'] as const
  expect(resolveMembershipOptions({ partitionAssignors: all }).assignors.map(({ name }) => name)).toEqual(all)
})

test('the coordinator decides with groupProtocol consumer', () => {
  const options: MembershipOptions = { groupProtocol: 'consumer', groupRemoteAssignor: 'uniform' }
  expect(resolveMembershipOptions(options)).toMatchObject({ groupProtocol: 'consumer', groupRemoteAssignor: 'uniform' })
})

test.each<[string, Record<string, unknown>, RegExp]>([
  ['groupProtocol', { groupProtocol: 'new' }, /'classic'.*'consumer'/],
  ['partitionAssignors', { groupProtocol: 'consumer', partitionAssignors: ['range'] }, /left out with groupProtocol 'consumer'/],
  ['sessionTimeoutMs', { groupProtocol: 'consumer', sessionTimeoutMs: 9_000 }, /left out with groupProtocol 'consumer'/],
  ['heartbeatIntervalMs', { groupProtocol: 'consumer', heartbeatIntervalMs: 900 }, /left out with groupProtocol 'consumer'/],
  ['groupRemoteAssignor', { groupRemoteAssignor: 'uniform' }, /left out, unless groupProtocol is 'consumer'/],
  ['groupRemoteAssignor', { groupProtocol: 'consumer', groupRemoteAssignor: '' }, /a string of 1 to/],
  ['heartbeatIntervalMs', { heartbeatIntervalMs: 50_000 }, /less than sessionTimeoutMs, which is 45000/],
  ['maxPollIntervalMs', { maxPollIntervalMs: 0 }, /0/],
  ['groupInstanceId', { groupInstanceId: '' }, /a string of 1 to/],
  ['partitionAssignors', { partitionAssignors: [] }, /at least one/],
  ['partitionAssignors', { partitionAssignors: 'range' }, /an array/],
  ['partitionAssignors', { partitionAssignors: ['round-robin'] }, /'roundrobin'/],
  ['partitionAssignors', { partitionAssignors: ['range', 'range'] }, /each name once/],
  ['partitionAssignors', { partitionAssignors: ['range', mine] }, /a rebalance protocol in common/],
  ['partitionAssignors', { partitionAssignors: [{ ...mine, name: '' }] }, /with a name/],
  ['partitionAssignors mine.protocols', { partitionAssignors: [{ ...mine, protocols: ['lazy'] }] }, /'eager' and 'cooperative'/],
  ['partitionAssignors mine.assign', { partitionAssignors: [{ ...mine, assign: 1 }] }, /a function/],
  ['partitionAssignors mine.subscriptionUserData', { partitionAssignors: [{ ...mine, subscriptionUserData: 1 }] }, /a function/],
  ['rebalanceListener', { rebalanceListener: () => {} }, /an object with functions/],
  ['rebalanceListener.lost', { rebalanceListener: { lost: 1 } }, /a function/],
])('%s is refused in %o', (option, options, allowed) => {
  const resolve = (): unknown => resolveMembershipOptions(options)
  expect(resolve).toThrow(ConfigError)
  expect(resolve).toThrow(option)
  expect(resolve).toThrow(allowed)
})
