import { apiVersionsApi, type ApiVersionsRequest, type ApiVersionsResponse } from '@millrace/protocol/apis/api-versions'
import { decodeResponseBody, Reader } from '@millrace/protocol/internal'

/**
 * The version of ApiVersions that is tried first: what Kafka 3.x to 4.3 serve. Version 5 (KIP-1242) would cost each of them a second
 * round trip on every connection.
 */
export const FIRST_API_VERSIONS_VERSION = 4

const UNSUPPORTED_VERSION_CODE = 35
const CORRELATION_ID_BYTES = 4

export type Negotiation =
  | { readonly type: 'done'; readonly response: ApiVersionsResponse }
  /** The broker is older (or stricter): ask again in this version. */
  | { readonly type: 'again'; readonly version: number }
  | { readonly type: 'refused'; readonly errorCode: number }

/**
 * Reads the answer to ApiVersions, a frame without its length. A broker that does not know the version answers in version 0,
 * with UNSUPPORTED_VERSION and its own range (KIP-511).
 */
export function readApiVersions(frame: Buffer, version: number): Negotiation {
  const reader = new Reader(frame, CORRELATION_ID_BYTES)
  const errorCode = new Reader(frame, CORRELATION_ID_BYTES).int16()
  if (errorCode === 0) return { type: 'done', response: decodeResponseBody(apiVersionsApi, version, reader) }
  if (errorCode !== UNSUPPORTED_VERSION_CODE || version === 0) return { type: 'refused', errorCode }
  const response = decodeResponseBody(apiVersionsApi, 0, reader)
  const range = response.apiKeys.find(({ apiKey }) => apiKey === apiVersionsApi.key)
  return { type: 'again', version: Math.max(0, Math.min(range?.maxVersion ?? 0, version - 1)) }
}

export function apiVersionsRequest(softwareVersion: string): ApiVersionsRequest {
  return { clientSoftwareName: 'millrace', clientSoftwareVersion: softwareVersion, clusterId: null, nodeId: -1 }
}

/** What an answer that is not Kafka's looks like; null if we cannot tell. */
export function guessProtocol(firstBytes: Buffer): string | null {
  const text = firstBytes.toString('latin1', 0, Math.min(firstBytes.length, 8))
  if (text.startsWith('HTTP/')) return 'HTTP'
  if (text.startsWith('SSH-')) return 'SSH'
  if (/^[1-5]\d\d[ -]/.test(text)) return 'SMTP or FTP'
  const isTlsRecord = firstBytes.length >= 2 && (firstBytes[0] === 0x15 || firstBytes[0] === 0x16) && firstBytes[1] === 0x03
  return isTlsRecord ? 'TLS' : null
}
