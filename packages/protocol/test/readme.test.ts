import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { received } from './readme-example.ts'

it("has the README's example run, and do what the README says", () => {
  const example = readFileSync(join(import.meta.dirname, 'readme-example.ts'), 'utf8')
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8')
  expect(readme).toContain(`\`\`\`ts\n${example}\`\`\`\n`)
  expect(received).toEqual(['7: ILLEGAL_GENERATION: the generation is not the current one of the group'])
  expect(example).toContain(`// received is now ['${received[0]}']`)
})
