import { connect } from 'node:net'
import { FrameSplitter, Reader, Writer } from '@millrace/protocol/internal'

const METADATA_KEY = 3
const METADATA_VERSION = 1
const MAX_ANSWER_BYTES = 1024 * 1024

/**
 * Asks a broker for its metadata and returns how many live brokers it names. A KRaft broker opens its port before it is
 * registered, so a port that accepts connections proves nothing. Written out by hand, so that what waits for a broker
 * does not depend on the clients under test.
 */
export function countBrokers(host: string, port: number, timeoutMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    const splitter = new FrameSplitter(MAX_ANSWER_BYTES)
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer from ${host}:${port} within ${timeoutMs} ms`)))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error(`${host}:${port} closed the connection without an answer`)))
    socket.once('connect', () => socket.write(metadataRequest()))
    socket.on('data', (chunk) => {
      try {
        splitter.push(chunk, (frame) => resolve(brokersIn(frame)))
      } catch (error) {
        reject(error)
      }
      if (splitter.bufferedBytes === 0) socket.destroy()
    })
  })
}

function metadataRequest(): Buffer {
  const body = new Writer()
  body.int16(METADATA_KEY)
  body.int16(METADATA_VERSION)
  body.int32(1)
  body.nullableString('millrace-probe')
  body.int32(0) // no topics
  const bytes = body.toBuffer()
  const length = Buffer.alloc(4)
  length.writeInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** Metadata v1 answers with the correlation id, then the array of brokers. */
function brokersIn(frame: Buffer): number {
  const reader = new Reader(frame)
  reader.int32()
  return reader.arrayLength()
}
