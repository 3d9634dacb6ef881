import { expect, test } from 'vitest'
import { CompressionRatio } from './compression-ratio.ts'

test('follows what gets better slowly and what gets worse at once, and starts anew after a batch that was too large', () => {
  const ratio = new CompressionRatio()
  expect([ratio.estimate, ratio.inputFor(16_384)]).toEqual([1, 16_384])
  ratio.observe(0.25)
  expect(ratio.estimate).toBeCloseTo(0.995)
  for (let batch = 0; batch < 200; batch++) ratio.observe(0.25)
  expect(ratio.estimate).toBe(0.25)
  expect(ratio.inputFor(16_384)).toBe(Math.floor(16_384 / (0.25 * 1.05)))
  ratio.observe(0.26)
  expect(ratio.estimate).toBeCloseTo(0.3)
  ratio.observe(0.9)
  expect(ratio.estimate).toBe(0.9)
  for (let batch = 0; batch < 200; batch++) ratio.observe(0.25)
  ratio.batchWasTooLarge(0.25)
  expect(ratio.estimate).toBe(1)
  ratio.observe(1.2)
  expect([ratio.estimate, ratio.inputFor(100)]).toEqual([1.2, 100])
})
