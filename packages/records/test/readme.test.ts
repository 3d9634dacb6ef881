import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { seen } from './readme-example.ts'

test("the README's example runs, and does what the README says", () => {
  const example = readFileSync(join(import.meta.dirname, 'readme-example.ts'), 'utf8')
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8')
  expect(readme).toContain(`\`\`\`ts\n${example}\`\`\`\n`)
  expect(seen).toEqual(['42 order-1 12 1', '43 order-2 undefined 0'])
  expect(example).toContain(`// seen is now ['${seen.join("', '")}']`)
})
