import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { GENERATED, generate } from './compile-wasm.ts'

test('the committed WebAssembly is what its source compiles to', async () => {
  expect(readFileSync(GENERATED, 'utf8')).toBe(await generate())
})
