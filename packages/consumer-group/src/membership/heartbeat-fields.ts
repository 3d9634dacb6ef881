import type { ConsumerGroupHeartbeatRequest } from '@millrace/protocol/apis/consumer-group-heartbeat'
import { compareStrings } from '../assignors/assignor.ts'
import type { TopicSelection } from './membership.ts'
import type { TargetAssignment } from './target-assignment.ts'

export interface ConsumerMemberConfig {
  readonly groupId: string
  readonly groupInstanceId: string | null
  readonly groupRemoteAssignor: string | null
  readonly rackId: string | null
  readonly maxPollIntervalMs: number
  /** Without contact for so long, others may have our partitions: Kafka's default, until `sessionLearned`. */
  readonly sessionTimeoutMs: number
}

interface Sent {
  readonly topics: string
  readonly regex: string | null
  readonly owned: TargetAssignment
}

/** The heartbeats of a member: everything when it joins, and what changed since the coordinator heard of it afterwards (KIP-848). */
export class HeartbeatFields {
  readonly #config: ConsumerMemberConfig
  #sent: Sent | null = null

  constructor(config: ConsumerMemberConfig) {
    this.#config = config
  }

  /** Whether the coordinator knows what the last one said, once that is answered. */
  get areHeard(): boolean {
    return this.#sent !== null
  }

  /** It is not known what the coordinator heard: the next one says everything. */
  forget(): void {
    this.#sent = null
  }

  next(memberId: string, memberEpoch: number, selection: TopicSelection, owned: TargetAssignment): ConsumerGroupHeartbeatRequest {
    const { groupRemoteAssignor, rackId, maxPollIntervalMs } = this.#config
    const names = 'topics' in selection ? selection.topics.toSorted(compareStrings) : []
    const regex = 'pattern' in selection ? regexOf(selection.pattern) : null
    const isFull = this.#sent === null || memberEpoch === 0
    const before = this.#sent
    const topics = JSON.stringify(names)
    this.#sent = { topics, regex, owned }
    const isOwnedNew = isFull || !before!.owned.equals(owned)
    return {
      ...this.#bare(memberId, memberEpoch),
      rackId: isFull ? rackId : null,
      rebalanceTimeoutMs: isFull ? maxPollIntervalMs : -1,
      subscribedTopicNames: isFull || before!.topics !== topics ? names : null,
      subscribedTopicRegex: isFull || before!.regex !== regex ? (regex ?? (isFull ? null : NO_REGEX)) : null,
      serverAssignor: isFull ? groupRemoteAssignor : null,
      topicPartitions: isOwnedNew
        ? owned.topics.map(({ topicId, partitions }) => ({ topicId, partitions: [...partitions] }))
        : null,
    }
  }

  /** @param memberEpoch -1, or -2 for a static member that may be back */
  leave(memberId: string, memberEpoch: number): ConsumerGroupHeartbeatRequest {
    return this.#bare(memberId, memberEpoch)
  }

  #bare(memberId: string, memberEpoch: number): ConsumerGroupHeartbeatRequest {
    return {
      groupId: this.#config.groupId,
      memberId,
      memberEpoch,
      instanceId: this.#config.groupInstanceId,
      rackId: null,
      rebalanceTimeoutMs: -1,
      subscribedTopicNames: null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: null,
    }
  }
}

/** Says that there is none any more. */
const NO_REGEX = ''

/**
 * In RE2's words. The coordinator matches whole names, a RegExp any part of them; of its flags only `i` and `s` mean anything for a topic's name.
 * What RE2 does not have (lookaround, backreferences) the coordinator refuses: INVALID_REGULAR_EXPRESSION.
 */
export function regexOf({ source, flags }: RegExp): string {
  const kept = ['i', 's'].filter((flag) => flags.includes(flag)).join('')
  return `${kept === '' ? '' : `(?${kept})`}.*(?:${source}).*`
}
