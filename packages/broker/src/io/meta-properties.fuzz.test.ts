import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatMetaProperties, parseMetaProperties } from './meta-properties.ts'

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url'))

test('reads back what it wrote', () => {
  fc.assert(
    fc.property(id, fc.nat(2 ** 31 - 1), id, (clusterId, nodeId, directoryId) => {
      const meta = { clusterId, nodeId, directoryId }
      expect(parseMetaProperties(formatMetaProperties(meta))).toEqual(meta)
    }),
  )
})

test('reads what kafka-storage format writes', () => {
  const text =
    '#\n#Sat Nov 21 08:00:00 UTC 2026\nnode.id=1\ndirectory.id=DDDDDDDDDDDDDDDDDDDDDg\nversion=1\ncluster.id=CCCCCCCCCCCCCCCCCCCCCg\n'
  expect(parseMetaProperties(text)).toEqual({
    clusterId: 'CCCCCCCCCCCCCCCCCCCCCg',
    nodeId: 1,
    directoryId: 'DDDDDDDDDDDDDDDDDDDDDg',
  })
})

test('any text is either understood or refused with a reason', () => {
  const line = fc.oneof(fc.string(), fc.constantFrom('version=1', 'cluster.id=x', 'node.id=1', 'directory.id=y', '#', ''))
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const parsed = parseMetaProperties(lines.join('\n'))
      expect(typeof parsed === 'string' ? parsed !== '' : parsed.nodeId >= 0).toBe(true)
    }),
  )
})
