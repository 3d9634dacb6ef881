/**
 * Makes the test vectors again, with Kafka's own generated classes. Needs Maven and JDK 17 or later.
 *
 *     node packages/protocol/codegen/make-vectors.ts
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { CLIENT_MESSAGES, SERVER_MESSAGES } from './data-messages.ts'
import { runJava } from './java.ts'
import type { Release } from './java.ts'

/** Another folder as the first argument leaves the committed files alone. */
const VECTORS = process.argv[2] ?? join(import.meta.dirname, '..', 'vectors')

function main(): void {
  const work = mkdtempSync(join(tmpdir(), 'kafka-vectors-'))
  try {
    make(work, 'apis', ['apis'], 'clients')
    make(work, 'client-data', [...CLIENT_MESSAGES.keys()], 'clients')
    make(work, 'server-data', [...SERVER_MESSAGES.keys()], 'server')
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function make(work: string, name: string, messages: readonly string[], release: Release): void {
  mkdirSync(VECTORS, { recursive: true })
  const file = join(work, `${name}.jsonl`)
  runJava('Vectors', [file, ...messages], release)
  const text = readFileSync(file)
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
  }
  writeFileSync(join(VECTORS, `${name}.jsonl.br`), brotliCompressSync(text, { params }))
}

main()
