import { defineConfig, type OxlintOverride } from 'oxlint'

/** What each package may import of its siblings (ARCHITECTURE.md, "The packages"). */
const mayImport: Record<string, readonly string[]> = {
  protocol: [],
  records: ['protocol'],
  client: ['protocol', 'records'],
  producer: ['protocol', 'records', 'client'],
  'consumer-group': ['protocol', 'records', 'client'],
  admin: ['protocol', 'records', 'client'],
  broker: ['protocol', 'records'],
  millrace: ['protocol', 'records', 'client', 'producer', 'consumer-group', 'admin', 'broker'],
  testkit: ['protocol', 'records', 'client', 'producer', 'consumer-group', 'admin', 'broker'],
}

const ioModules = [
  'net',
  'tls',
  'fs',
  'fs/promises',
  'dns',
  'dns/promises',
  'http',
  'https',
  'os',
  'child_process',
  'worker_threads',
  'timers',
  'timers/promises',
  'perf_hooks',
]

const tests = ['**/*.test.ts', 'packages/*/test/**']

const siblingBan = (name: string) => ({
  regex: `^(@millrace/(${Object.keys(mayImport)
    .filter((other) => !allowed(name).includes(other))
    .join('|')})(/.*)?|millrace)$`,
  message: `${name} may import only: ${mayImport[name]?.join(', ') || 'nothing'} (ARCHITECTURE.md)`,
})

const allowed = (name: string) => [name, ...(mayImport[name] ?? [])]

const ioBan = {
  group: ioModules.flatMap((module) => [`node:${module}`, module]),
  message: 'Sockets, files, timers and the clock live in folders named io/ (ARCHITECTURE.md, "State machines without I/O").',
}

const barredGlobals = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'process',
  'fetch',
  'WebSocket',
  'performance',
].map((name) => ({
  name,
  message: 'Time and the outside world come in as arguments; only io/ may touch them.',
}))

const barredProperties = [
  { object: 'Date', property: 'now', message: 'The time comes in as an argument.' },
  { object: 'Math', property: 'random', message: 'Randomness comes in as an argument.' },
]

const libraries = Object.keys(mayImport).filter((name) => name !== 'testkit')

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise', 'node', 'vitest'],
  categories: { correctness: 'error', suspicious: 'error' },
  options: { typeAware: true },
  // In wasm/ is AssemblyScript, which its own compiler checks.
  ignorePatterns: ['**/dist/**', '**/generated/**', '**/node_modules/**', '**/.cache/**', 'packages/*/wasm/**'],
  rules: {
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/await-thenable': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/consistent-type-imports': 'error',
    'import/no-default-export': 'error',
    'import/no-cycle': 'error',
    'no-unused-vars': 'error',
    eqeqeq: 'error',
    'no-console': 'error',
    'max-lines': ['error', { max: 400 }],
    'max-lines-per-function': ['error', { max: 70 }],
    // Short-circuits and bit arithmetic are how codecs are written.
    'no-bitwise': 'off',
    'no-underscore-dangle': 'off',
    // Loops that wait for what a callback changes.
    'no-unmodified-loop-condition': 'off',
    'no-await-in-loop': 'off',
    'no-shadow': 'off',
    'unicorn/no-array-sort': 'off',
    'unicorn/no-array-reverse': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'typescript/no-unsafe-type-assertion': 'off',
    'typescript/no-unnecessary-type-arguments': 'off',
    // Helpers that assert, and errors looked at in a catch, are conditions that a test needs.
    'vitest/no-conditional-expect': 'off',
    'vitest/valid-expect': ['error', { maxArgs: 2 }],
    'promise/always-return': 'off',
    'promise/no-multiple-resolved': 'off',
    'import/no-named-as-default': 'off',
    'import/no-named-as-default-member': 'off',
    'import/no-unassigned-import': 'off',
  },
  overrides: [
    ...libraries.map((name): OxlintOverride => ({
      files: [`packages/${name}/src/**/*.ts`],
      excludeFiles: [...tests, `packages/${name}/src/io/**`, `packages/${name}/src/cli/**`],
      rules: {
        'no-restricted-imports': ['error', { patterns: [siblingBan(name), ioBan] }],
        'no-restricted-globals': ['error', ...barredGlobals],
        'no-restricted-properties': ['error', ...barredProperties],
      },
    })),
    ...libraries.map((name): OxlintOverride => ({
      files: [`packages/${name}/src/io/**/*.ts`, `packages/${name}/src/cli/**/*.ts`],
      excludeFiles: tests,
      rules: { 'no-restricted-imports': ['error', { patterns: [siblingBan(name)] }] },
    })),
    {
      files: ['**/*.test.ts', 'packages/*/test/**', 'integration/**'],
      rules: { 'max-lines-per-function': 'off', 'max-lines': 'off', 'typescript/unbound-method': 'off' },
    },
    {
      files: ['oxlint.config.ts', 'vitest.config.ts', '**/vitest.config.ts', '**/vitest.*.config.ts'],
      rules: { 'import/no-default-export': 'off' },
    },
    {
      files: [
        'scripts/**',
        'examples/**',
        'integration/**',
        'benchmarks/**',
        'packages/*/codegen/**',
        'packages/*/vectors/**',
        'packages/*/src/cli/**',
      ],
      rules: { 'no-console': 'off' },
    },
  ],
})
