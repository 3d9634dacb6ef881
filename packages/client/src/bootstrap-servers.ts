import { ConfigError } from '@millrace/protocol'
import type { Endpoint } from './environment.ts'
import { MAX_BOOTSTRAP_SERVERS } from './limits.ts'

const ALLOWED = "addresses as 'host:port' (an IPv6 address in brackets: '[::1]:9092'), in an array or separated by commas"

/**
 * The endpoints in `bootstrapServers`, duplicates removed.
 * @throws ConfigError if there is none, or for the first address that is not `host:port`
 */
export function parseBootstrapServers(value: unknown): Endpoint[] {
  const addresses = typeof value === 'string' ? value.split(',') : value
  if (!Array.isArray(addresses)) throw new ConfigError('bootstrapServers', value, ALLOWED)
  if (addresses.length > MAX_BOOTSTRAP_SERVERS) {
    throw new ConfigError('bootstrapServers', addresses.length, `at most ${MAX_BOOTSTRAP_SERVERS} addresses`)
  }
  const endpoints = new Map<string, Endpoint>()
  for (const address of addresses) {
    const endpoint = parseAddress(address)
    endpoints.set(`${endpoint.host}:${endpoint.port}`, endpoint)
  }
  if (endpoints.size === 0) throw new ConfigError('bootstrapServers', value, `at least one of ${ALLOWED}`)
  return [...endpoints.values()]
}

function parseAddress(address: unknown): Endpoint {
  if (typeof address !== 'string') throw new ConfigError('bootstrapServers', address, ALLOWED)
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:/[\],@]+)):(\d{1,5})$/.exec(address.trim())
  if (match === null) throw new ConfigError('bootstrapServers', address, ALLOWED)
  const port = Number(match[3])
  if (port < 1 || port > 65_535) throw new ConfigError('bootstrapServers', address, 'a port from 1 to 65535')
  return { host: (match[1] ?? match[2])!.toLowerCase(), port }
}
