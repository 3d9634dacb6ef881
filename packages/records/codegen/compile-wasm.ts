/**
 * Turns wasm/lz4-block.ts and what it imports (AssemblyScript) into WebAssembly, in a file of TypeScript that holds its bytes. Needs nothing but Node.
 *
 *     node packages/records/codegen/compile-wasm.ts            writes it
 *     node packages/records/codegen/compile-wasm.ts --check    fails when the committed one is another
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const PACKAGE = join(import.meta.dirname, '..')
const SOURCE = 'lz4-block.ts'
const SOURCES: ReadonlySet<string> = new Set(readdirSync(join(PACKAGE, 'wasm')))
const BYTES = 'lz4-block.wasm'
const LINE_CHARACTERS = 120

/** Not a literal: its types would bring globals of AssemblyScript's own. */
const COMPILER: string = 'assemblyscript/asc'

/** What is used of it. */
interface Compiler {
  main(
    argv: readonly string[],
    files: {
      readFile(name: string): string | null
      writeFile(name: string, content: string | Uint8Array): void
      listFiles(): string[]
    },
  ): Promise<{ readonly error: Error | null; readonly stderr: { toString(): string } }>
}

/** Where the generated file is. */
export const GENERATED: string = join(PACKAGE, 'src', 'generated', 'lz4-block-wasm.ts')

/** Nothing of AssemblyScript's runtime, and memory of four pages, which hold what decodes an ordinary batch. */
const OPTIONS = '--runtime stub --noAssert -O3 --enable simd,bulk-memory --initialMemory 4'

/** The text of the generated file. */
export async function generate(): Promise<string> {
  const compiler = (await import(COMPILER)) as Compiler
  let bytes: Uint8Array = new Uint8Array(0)
  const { error, stderr } = await compiler.main([SOURCE, '--outFile', BYTES, ...OPTIONS.split(' ')], {
    readFile: (name) => (SOURCES.has(name) ? readFileSync(join(PACKAGE, 'wasm', name), 'utf8') : null),
    writeFile: (name, content) => {
      if (name === BYTES) bytes = content as Uint8Array
    },
    listFiles: () => [],
  })
  if (error !== null) throw new Error(`wasm/${SOURCE} does not compile:\n${stderr.toString()}`, { cause: error })
  const lines = Buffer.from(bytes)
    .toString('base64')
    .match(new RegExp(`.{1,${LINE_CHARACTERS}}`, 'g'))!
  return `// Made of wasm/${SOURCE} by codegen/compile-wasm.ts; do not edit.
/** WebAssembly: the block format of LZ4. In base64. */
export const LZ4_BLOCK_WASM: string =
${lines.map((line) => `  '${line}'`).join(' +\n')}
`
}

async function main(): Promise<void> {
  const text = await generate()
  if (!process.argv.includes('--check')) return writeFileSync(GENERATED, text)
  if (readFileSync(GENERATED, 'utf8') === text) return void process.stdout.write('no drift\n')
  process.stderr.write(`src/generated/lz4-block-wasm.ts is not what codegen/compile-wasm.ts makes of wasm/${SOURCE}\n`)
  process.exitCode = 1
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) await main()
