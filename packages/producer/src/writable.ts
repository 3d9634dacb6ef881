import { Writable } from 'node:stream'
import { WritableStream } from 'node:stream/web'
import type { KafkaError } from '@millrace/protocol'
import type { DeliveryCallback } from './delivery.ts'

/** Where a stream puts its records. */
export interface RecordSink<Chunk> {
  /** False: wait for `ready` before the next one. */
  post(record: Chunk, onDelivery: DeliveryCallback): boolean
  ready(): Promise<void>
  /** When everything posted before has its outcome. */
  flush(): Promise<void>
}

/** The first record that fails ends the stream with its error; closing waits until all are stored. */
export function webWritable<Chunk>(sink: RecordSink<Chunk>): WritableStream<Chunk> {
  let failure: KafkaError | null = null
  let fail: (error: KafkaError) => void
  const onDelivery: DeliveryCallback = (error) => {
    if (error !== null && failure === null) fail((failure = error))
  }
  return new WritableStream<Chunk>({
    start(controller) {
      fail = (error) => controller.error(error)
    },
    write: (record) => (sink.post(record, onDelivery) ? undefined : sink.ready()),
    close: async () => {
      await sink.flush()
      if (failure !== null) throw failure
    },
  })
}

/** As `webWritable`, as a stream of Node. */
export function nodeWritable<Chunk>(sink: RecordSink<Chunk>): Writable {
  const stream = new Writable({
    objectMode: true,
    write(record: Chunk, _encoding, callback) {
      let hasRoom: boolean
      try {
        hasRoom = sink.post(record, onDelivery)
      } catch (error) {
        callback(error as Error)
        return
      }
      if (hasRoom) callback()
      else void callAfter(sink.ready(), callback)
    },
    final(callback) {
      void callAfter(sink.flush(), callback)
    },
  })
  const onDelivery: DeliveryCallback = (error) => {
    if (error !== null) stream.destroy(error)
  }
  return stream
}

async function callAfter(wait: Promise<void>, callback: (error: Error | null) => void): Promise<void> {
  let failure: Error | null = null
  try {
    await wait
  } catch (error) {
    failure = error as Error
  }
  callback(failure)
}
