/** Asks for every value of a batch, so that all of it is decoded. */
export function countValues(batch: Iterable<{ readonly value: Buffer | null }>): {
  readonly count: number
  readonly bytes: number
} {
  let count = 0
  let bytes = 0
  for (const { value } of batch) {
    count++
    bytes += value!.length
  }
  return { count, bytes }
}
