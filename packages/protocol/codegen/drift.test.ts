import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { generateAll, strayFiles } from './generate.ts'

describe('the generated sources', () => {
  it('are what the generator makes of the schemas', () => {
    const files = generateAll()
    expect(files.size).toBeGreaterThan(130)
    const drifted = [...files].filter(([path, text]) => readFileSync(path, 'utf8') !== text)
    expect(drifted.map(([path]) => relative('.', path))).toEqual([])
  })

  it('have no file beside them that nobody generates', () => {
    expect(strayFiles(generateAll())).toEqual([])
  })
})
