import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import type { MainJobEvent } from './event.ts'

/** The lines of a file, or of standard input for `-`, each as an event keyed by its number. */
export async function* lines(path: string): AsyncGenerator<MainJobEvent> {
  const input = path === '-' ? process.stdin : createReadStream(path)
  const source = path === '-' ? 'stdin' : basename(path)
  let number = 0
  for await (const value of createInterface({ input, crlfDelay: Infinity })) {
    number++
    yield {
      key: `${source}:${number}`,
      value,
      timestamp: Date.now(),
      headers: [
        ['source', source],
        ['line', String(number)],
      ],
    }
  }
}
