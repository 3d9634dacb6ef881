import Module from 'node:module'
import { afterEach, expect, test, vi } from 'vitest'
import type * as internal from '../internal.ts'
import type * as natives from './natives.ts'

type Resolve = (request: string, ...rest: unknown[]) => string
const loader = Module as unknown as { _resolveFilename: Resolve }
const resolve = loader._resolveFilename

afterEach(() => {
  loader._resolveFilename = resolve
  vi.resetModules()
})

/** The package, loaded anew where `names` cannot be found: as on a platform without binaries. */
async function loadWithout(...names: string[]): Promise<typeof internal & typeof natives> {
  loader._resolveFilename = (request, ...rest) => {
    if (names.includes(request)) throw Object.assign(new Error(`Cannot find module '${request}'`), { code: 'MODULE_NOT_FOUND' })
    return resolve(request, ...rest)
  }
  vi.resetModules()
  return { ...(await import('../internal.ts')), ...(await import('./natives.ts')) }
}

test('nothing native is needed to write and read what has no compression, LZ4, snappy and gzip', async () => {
  const records = await loadWithout('lz4-napi', 'snappy', '@node-rs/crc32')
  expect([records.nativeLz4(), records.nativeSnappy()]).toEqual([null, null])
  for (const compression of ['none', 'lz4', 'snappy', 'gzip'] as const) {
    const value = 'value '.repeat(30_000)
    const bytes = records.encodeBatch([{ timestamp: 1, key: 'key', value }], { compression })
    for (const batch of records.readBatches(bytes)) {
      await batch.load()
      expect(Array.from(batch, (record) => [record.keyText, record.valueText])).toEqual([['key', value]])
    }
  }
})

test('with the native libraries the same batches are written, but for what the encoders choose', async () => {
  const without = await loadWithout('lz4-napi', 'snappy', '@node-rs/crc32')
  const input = [{ timestamp: 1, key: 'key', value: 'value '.repeat(500) }]
  const written = (['none', 'gzip', 'lz4', 'snappy'] as const).map((compression) => without.encodeBatch(input, { compression }))
  const fresh = await loadWithout()
  expect([fresh.nativeLz4(), fresh.nativeSnappy()]).not.toContain(null)
  expect(fresh.encodeBatch(input)).toEqual(written[0])
  expect(fresh.encodeBatch(input, { compression: 'gzip' })).toEqual(written[1])
  for (const bytes of written) expect([...fresh.readBatches(bytes)].flatMap((batch) => batch.toArray())).toHaveLength(1)
})
