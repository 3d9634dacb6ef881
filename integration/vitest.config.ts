import { defineConfig } from 'vitest/config'

/** One worker per file, few at a time: each may hold a JVM. Run from the repository's root or from here alike. */
export default defineConfig({
  root: import.meta.dirname,
  resolve: { conditions: ['@millrace/source'] },
  ssr: { resolve: { conditions: ['@millrace/source', 'node'] } },
  test: {
    include: ['src/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
  },
})
