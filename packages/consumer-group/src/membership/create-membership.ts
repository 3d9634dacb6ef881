import type { ClusterClient, Environment } from '@millrace/client/internal'
import type { ConsumerConfig } from '../config.ts'
import type { EventSource } from '../events.ts'
import { ClassicMember } from './classic-member.ts'
import { ClassicMembership } from './classic-membership.ts'
import { Handover } from './handover.ts'
import type { Membership, PartitionOwner, TopicSelection } from './membership.ts'
import { RebalanceHook } from './rebalance-hook.ts'

export interface MembershipParts {
  readonly config: ConsumerConfig & { readonly groupId: string }
  readonly selection: TopicSelection
  readonly cluster: ClusterClient
  readonly environment: Environment
  readonly events: EventSource
  readonly owner: PartitionOwner
}

/** The membership that the options ask for. Nothing is sent before `start`. */
export function createMembership({ config, selection, cluster, environment, events, owner }: MembershipParts): Membership {
  const hook = new RebalanceHook(config.rebalanceListener, config.maxPollIntervalMs, environment.clock, events)
  const handover = new Handover(owner, hook)
  const rackId = config.clientRack === '' ? null : config.clientRack
  const member = (topics: readonly string[]): ClassicMember =>
    new ClassicMember({ ...config, rackId }, topics, config, () => environment.random())
  return new ClassicMembership({ groupId: config.groupId, selection, member, cluster, owner, handover, events })
}
