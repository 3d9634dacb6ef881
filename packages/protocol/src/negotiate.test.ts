import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AnyApi } from './api.ts'
import { ALL_APIS } from './generated/all-apis.ts'
import { fetchApi } from './generated/fetch.ts'
import { initProducerIdApi } from './generated/init-producer-id.ts'
import { ProtocolError } from './kafka-error.ts'
import { negotiateVersion } from './negotiate.ts'

function negotiated(api: AnyApi, min: number, max: number): number | string {
  try {
    return negotiateVersion(api, min, max)
  } catch (error) {
    return (error as ProtocolError).code
  }
}

describe('negotiateVersion', () => {
  it('takes the highest version that both have', () => {
    expect(negotiateVersion(fetchApi, 0, 11)).toBe(11)
    expect(negotiateVersion(fetchApi, 0, 99)).toBe(18)
    expect(negotiateVersion(fetchApi, 18, 18)).toBe(18)
    expect(negotiateVersion(fetchApi, 4, 4)).toBe(4)
  })

  it('names the API and both ranges when there is none', () => {
    expect(() => negotiateVersion(fetchApi, 0, 3)).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED_VERSION',
        message: 'Fetch: the broker supports versions 0 to 3, this client 4 to 18',
      }),
    )
    expect(() => negotiateVersion(fetchApi, 19, 25)).toThrow(ProtocolError)
  })

  it('finds a version exactly when the ranges meet, and no higher one would do', () => {
    const range = fc.tuple(fc.nat(20), fc.nat(20)).map(([one, other]) => [Math.min(one, other), Math.max(one, other)] as const)
    fc.assert(
      fc.property(fc.constantFrom(...ALL_APIS), range, (api, [min, max]) => {
        const common = Array.from({ length: 30 }, (_, version) => version).filter(
          (version) => version >= min && version <= max && version >= api.minVersion && version <= api.maxStableVersion,
        )
        expect(negotiated(api, min, max)).toBe(common.at(-1) ?? 'UNSUPPORTED_VERSION')
      }),
      { numRuns: 1000 },
    )
  })

  it('never takes a version that Kafka does not call stable', () => {
    expect(initProducerIdApi.maxVersion).toBe(6)
    expect(negotiateVersion(initProducerIdApi, 0, 6)).toBe(5)
    expect(() => negotiateVersion(initProducerIdApi, 6, 6)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_VERSION' }))
  })
})
