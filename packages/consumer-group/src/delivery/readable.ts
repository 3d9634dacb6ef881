import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'

/**
 * A Web stream of what a loop gives. It asks the loop only when somebody reads, so that nothing counts as handled because it was read ahead:
 * an item was handled when the next one is read. Cancelling the stream ends the loop.
 */
export function webReadable<Item>(loop: AsyncIterableIterator<Item>): ReadableStream<Item> {
  const source = {
    async pull(controller: { enqueue(item: Item): void; close(): void }): Promise<void> {
      const result = await loop.next()
      if (result.done === true) controller.close()
      else controller.enqueue(result.value)
    },
    async cancel(): Promise<void> {
      await loop.return?.()
    },
  }
  return new ReadableStream<Item>(source, { highWaterMark: 0 })
}

/** The same as a Node stream in object mode. Destroying it ends the loop. */
export function nodeReadable<Item>(loop: AsyncIterableIterator<Item>): Readable {
  return new Readable({
    objectMode: true,
    highWaterMark: 0,
    read() {
      loop.next().then(
        (result) => void this.push(result.done === true ? null : result.value),
        (error: Error) => void this.destroy(error),
      )
    },
    destroy(error, done) {
      void endThen(loop, () => done(error))
    },
  })
}

/** Our loops' `return` never rejects. */
async function endThen(loop: AsyncIterator<unknown>, then: () => void): Promise<void> {
  await loop.return?.()
  then()
}
