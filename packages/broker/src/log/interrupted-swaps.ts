import { lastOffset } from '@millrace/records/internal'
import type { Storage } from '../storage/storage.ts'
import { BatchScanner } from './batch-scanner.ts'
import { LOG_SUFFIX, offsetOfFileName } from './log-files.ts'

const SWAP_SUFFIX = '.swap'
const CLEANED_SUFFIX = '.cleaned'
/** Of no use to anybody: marked for deletion, or not written to the end. */
const LEFTOVER = /\.(?:deleted|tmp)$/
const OFFSET_DIGITS = 20

/**
 * Puts a directory in order in which a Kafka was compacting or deleting when it died. This broker does neither in a way that leaves such files,
 * but it opens what Kafka wrote. `LogLoader.removeTempFilesAndCollectSwapFiles` and the passes after it.
 */
export function finishInterruptedSwaps(storage: Storage, directory: string): void {
  const names = storage.list(directory)
  const remove = (name: string): void => storage.remove(`${directory}/${name}`)
  for (const name of names) if (LEFTOVER.test(name)) remove(name)
  const cleaned = names.filter((name) => name.endsWith(CLEANED_SUFFIX))
  const firstCleaned = Math.min(...cleaned.map(leadingOffset).filter((offset) => !Number.isNaN(offset)))
  const swaps = names.filter((name) => name.endsWith(SWAP_SUFFIX))
  // Where a `.cleaned` file is left, the swap files from it on belong to an operation that did not come to its end.
  const valid = swaps.filter((name) => leadingOffset(name) < firstCleaned)
  for (const name of swaps) if (!valid.includes(name)) remove(name)
  for (const name of cleaned) remove(name)
  const [from, to] = replacedRange(storage, directory, valid)
  for (const name of names) {
    const offset = leadingOffset(name)
    if (!swaps.includes(name) && !cleaned.includes(name) && offset >= from && offset < to) remove(name)
  }
  for (const name of valid) storage.rename(`${directory}/${name}`, `${directory}/${name.slice(0, -SWAP_SUFFIX.length)}`)
}

/** The offsets that the swap files stand for: what lies there was replaced by them. */
function replacedRange(storage: Storage, directory: string, swaps: readonly string[]): [number, number] {
  let from = Infinity
  let to = -Infinity
  for (const name of swaps) {
    const base = offsetOfFileName(name, LOG_SUFFIX + SWAP_SUFFIX)
    if (base === null) continue
    from = Math.min(from, base)
    to = Math.max(to, base)
    const file = storage.open(`${directory}/${name}`)
    const scanner = new BatchScanner(file)
    while (scanner.next()) to = Math.max(to, lastOffset(scanner.buffer, scanner.at) + 1)
    file.close()
  }
  return [from, to]
}

/** The offset that a file name begins with; NaN when it begins with none. */
function leadingOffset(name: string): number {
  return /^[0-9]{20}\./.test(name) ? Number(name.slice(0, OFFSET_DIGITS)) : Number.NaN
}
