import { expect, test, vi } from 'vitest'
import { FREED_MEMORY_HINT_BYTES } from '../limits.ts'
import { keepFreedMemory } from './freed-memory.ts'

test('the block that is to be seen freed is given back at once, without waiting for a collection', () => {
  const take = vi.spyOn(Buffer, 'allocUnsafeSlow')
  keepFreedMemory()
  expect(take.mock.calls).toEqual([[FREED_MEMORY_HINT_BYTES]])
  expect((take.mock.results[0]!.value as Buffer).buffer.byteLength).toBe(0)
})
