import { negotiateVersion, type AnyApi } from '@millrace/protocol'
import { KafkaError } from '@millrace/protocol'
import type { ApiVersionsResponse } from '@millrace/protocol/apis/api-versions'

/** What one broker told us about itself in ApiVersions. */
export class BrokerVersions {
  readonly #address: string
  readonly #ranges = new Map<number, { readonly min: number; readonly max: number }>()
  /** The version picked for an API so far, by API key. */
  readonly #picked: (number | undefined)[] = []
  /** Finalized feature levels by name, for example `transaction.version` (KIP-584). */
  readonly finalizedFeatures: ReadonlyMap<string, number>
  /** Grows with each change of the finalized features; -1 if the broker does not know. */
  readonly finalizedFeaturesEpoch: bigint

  constructor(address: string, response: ApiVersionsResponse) {
    this.#address = address
    for (const range of response.apiKeys) this.#ranges.set(range.apiKey, { min: range.minVersion, max: range.maxVersion })
    this.finalizedFeatures = new Map(response.finalizedFeatures.map((feature) => [feature.name, feature.maxVersionLevel]))
    this.finalizedFeaturesEpoch = response.finalizedFeaturesEpoch
  }

  /**
   * The highest version that the broker and we know, no higher than `maxVersion`.
   * @throws KafkaError UNSUPPORTED_VERSION naming the API and both ranges
   */
  pick(api: AnyApi, maxVersion: number): number {
    let version = this.#picked[api.key]
    if (version === undefined) {
      const range = this.#ranges.get(api.key)
      if (range === undefined)
        throw new KafkaError('UNSUPPORTED_VERSION', `the broker at ${this.#address} does not serve ${api.name}`)
      version = negotiateVersion(api, range.min, range.max)
      this.#picked[api.key] = version
    }
    if (version <= maxVersion) return version
    const min = Math.max(this.#ranges.get(api.key)!.min, api.minVersion)
    if (min <= maxVersion) return maxVersion
    throw new KafkaError(
      'UNSUPPORTED_VERSION',
      `the broker at ${this.#address} serves ${api.name} from version ${min}; at most ${maxVersion} is wanted here`,
    )
  }
}
