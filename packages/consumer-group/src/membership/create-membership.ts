import type { ClusterClient, Environment } from '@millrace/client/internal'
import type { ConsumerConfig } from '../config.ts'
import type { EventSource } from '../events.ts'
import { ClassicMember } from './classic-member.ts'
import { ClassicMembership } from './classic-membership.ts'
import { ConsumerMember } from './consumer-member.ts'
import { ConsumerMembership } from './consumer-membership.ts'
import type { GroupObserver } from './coordinator-link.ts'
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
  readonly observer: GroupObserver
}

/** The membership that the options ask for. Nothing is sent before `start`. */
export function createMembership({
  config,
  selection,
  cluster,
  environment,
  events,
  owner,
  observer,
}: MembershipParts): Membership {
  const hook = new RebalanceHook(config.rebalanceListener, config.maxPollIntervalMs, environment.clock, events)
  const handover = new Handover(owner, hook)
  const rackId = config.clientRack === '' ? null : config.clientRack
  if (config.groupProtocol === 'consumer') {
    const nameOf = (topicId: string): string | undefined => cluster.topicName(topicId)
    const random = (): number => environment.random()
    const member = new ConsumerMember({ ...config, rackId }, randomUuid(random), selection, nameOf, config, random)
    return new ConsumerMembership({ groupId: config.groupId, selection, member, cluster, owner, handover, events, observer })
  }
  const member = (topics: readonly string[]): ClassicMember =>
    new ClassicMember({ ...config, rackId }, topics, config, () => environment.random())
  return new ClassicMembership({ groupId: config.groupId, selection, member, cluster, owner, handover, events, observer })
}

const UUID_BYTES = 16
const BYTE_VALUES = 256

/** As org.apache.kafka.common.Uuid.randomUuid: version 4, in 22 characters of base64url, the first of them no hyphen. */
export function randomUuid(random: () => number): string {
  const bytes = Buffer.from(Array.from({ length: UUID_BYTES }, () => Math.floor(random() * BYTE_VALUES)))
  bytes[0] = bytes[0]! & 0x7f
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('base64url')
}
