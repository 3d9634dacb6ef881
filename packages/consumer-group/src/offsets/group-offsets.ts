import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import { errorAbout, type ClusterClient } from '@millrace/client/internal'
import { offsetCommitApi, type OffsetCommitRequest, type OffsetCommitResponse } from '@millrace/protocol/apis/offset-commit'
import { offsetFetchApi } from '@millrace/protocol/apis/offset-fetch'
import type { TopicPartition } from '../topic-partition.ts'
import {
  commitCodesOf,
  commitErrorOf,
  fetchedOffsets,
  maxCommitVersion,
  maxOffsetFetchVersion,
  offsetCommitRequest,
  offsetFetchErrorOf,
  offsetFetchRequest,
  type FetchedOffset,
  type GroupIdentity,
  type OffsetToCommit,
  type TopicNames,
} from './offset-requests.ts'

/** What is known of a commit afterwards. */
export interface CommitOutcome {
  /** Of each offset, in their order; null where nobody said anything of it. */
  readonly codes: readonly (number | null)[]
  /** Why nobody did. */
  readonly failure: unknown
  /** It was sent and not answered, if only once: it may be made, whatever was answered later. */
  readonly isInDoubt: boolean
}

/** Reads and writes a group's offsets at its coordinator. */
export class GroupOffsets {
  readonly #cluster: ClusterClient
  readonly #names: TopicNames

  constructor(cluster: ClusterClient) {
    this.#cluster = cluster
    this.#names = { idOf: (name) => cluster.topicId(name) ?? ZERO_UUID, nameOf: (id) => cluster.topicName(id) }
  }

  /** Never rejects. */
  async commit(identity: GroupIdentity, offsets: readonly OffsetToCommit[], timeoutMs: number): Promise<CommitOutcome> {
    const request = offsetCommitRequest(identity, offsets, this.#names)
    let [sent, answered] = [0, 0]
    const body = (): OffsetCommitRequest => {
      sent++
      return request
    }
    const errorOf = (response: OffsetCommitResponse): number => {
      answered++
      return commitErrorOf(response)
    }
    const options = { timeoutMs, maxVersion: maxCommitVersion(offsets, this.#names), errorOf }
    try {
      const response = await this.#cluster.send(offsetCommitApi, body, { group: identity.groupId }, options)
      return { codes: commitCodesOf(response, offsets, this.#names), failure: null, isInDoubt: sent > answered }
    } catch (failure) {
      return { codes: offsets.map(() => null), failure, isInDoubt: sent > answered }
    }
  }

  /**
   * What the group has committed for each of the partitions, or an error of the partition's. Offsets of open transactions are to be waited for:
   * they come as UNSTABLE_OFFSET_COMMIT, which is retriable.
   * @throws {KafkaError} that concerns the group
   */
  async fetch(groupId: string, partitions: readonly TopicPartition[], timeoutMs?: number): Promise<FetchedOffset[]> {
    const names = this.#names
    const maxVersion = maxOffsetFetchVersion(partitions, names)
    const body = (version: number): ReturnType<typeof offsetFetchRequest> =>
      offsetFetchRequest(groupId, partitions, names, version)
    const response = await this.#cluster.send(
      offsetFetchApi,
      body,
      { group: groupId },
      { maxVersion, errorOf: offsetFetchErrorOf, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
    )
    const code = offsetFetchErrorOf(response)
    if (code !== ErrorCode.NONE) throw errorAbout(code, `offsets of group ${groupId}`)
    return fetchedOffsets(response, names)
  }
}
