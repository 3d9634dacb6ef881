import { ErrorCode, ZERO_UUID } from '@millrace/protocol'
import { errorAbout, type ClusterClient } from '@millrace/client/internal'
import { offsetCommitApi } from '@millrace/protocol/apis/offset-commit'
import { offsetFetchApi } from '@millrace/protocol/apis/offset-fetch'
import type { TopicPartition } from '../topic-partition.ts'
import {
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

/** Reads and writes a group's offsets at its coordinator. */
export class GroupOffsets {
  readonly #cluster: ClusterClient
  readonly #names: TopicNames

  constructor(cluster: ClusterClient) {
    this.#cluster = cluster
    this.#names = { idOf: (name) => cluster.topicId(name) ?? ZERO_UUID, nameOf: (id) => cluster.topicName(id) }
  }

  /** The error code of the first partition that was refused; NONE when all is committed. Rejects when there was no answer in time. */
  async commit(identity: GroupIdentity, offsets: readonly OffsetToCommit[], timeoutMs: number): Promise<number> {
    const request = offsetCommitRequest(identity, offsets, this.#names)
    const options = { timeoutMs, maxVersion: maxCommitVersion(offsets, this.#names), errorOf: commitErrorOf }
    const response = await this.#cluster.send(offsetCommitApi, request, { group: identity.groupId }, options)
    return commitErrorOf(response)
  }

  /**
   * What the group has committed for each of the partitions, or an error of the partition's. Offsets of open transactions are to be waited for:
   * they come as UNSTABLE_OFFSET_COMMIT, which is retriable.
   * @throws {KafkaError} that concerns the group
   */
  async fetch(groupId: string, partitions: readonly TopicPartition[]): Promise<FetchedOffset[]> {
    const names = this.#names
    const maxVersion = maxOffsetFetchVersion(partitions, names)
    const body = (version: number): ReturnType<typeof offsetFetchRequest> =>
      offsetFetchRequest(groupId, partitions, names, version)
    const response = await this.#cluster.send(
      offsetFetchApi,
      body,
      { group: groupId },
      { maxVersion, errorOf: offsetFetchErrorOf },
    )
    const code = offsetFetchErrorOf(response)
    if (code !== ErrorCode.NONE) throw errorAbout(code, `offsets of group ${groupId}`)
    return fetchedOffsets(response, names)
  }
}
