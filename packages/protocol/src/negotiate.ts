import type { AnyApi } from './api.ts'
import { ProtocolError } from './kafka-error.ts'

/**
 * The highest version that both sides speak. Versions that Kafka does not call stable yet are never chosen: an
 * unstable one may change its form under the same number.
 *
 * @throws ProtocolError `UNSUPPORTED_VERSION`, naming the API and both ranges, when there is none
 */
export function negotiateVersion(
  api: Pick<AnyApi, 'name' | 'minVersion' | 'maxStableVersion'>,
  brokerMin: number,
  brokerMax: number,
): number {
  const version = Math.min(api.maxStableVersion, brokerMax)
  if (version >= api.minVersion && version >= brokerMin) return version
  throw new ProtocolError(
    'UNSUPPORTED_VERSION',
    `${api.name}: the broker supports versions ${brokerMin} to ${brokerMax}, this client ${api.minVersion} to ${api.maxStableVersion}`,
  )
}
