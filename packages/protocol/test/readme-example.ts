import { ErrorCode, FrameSplitter, Reader, decodeCorrelationId, decodeRequestBody, decodeRequestHeader } from '@millrace/protocol'
import { decodeResponseBody, encodeRequestFrame, encodeResponseFrame, errorFor, negotiateVersion } from '@millrace/protocol'
import { heartbeatApi } from '@millrace/protocol/apis/heartbeat'

// The client's side: agree on a version, then write a frame.
const version = negotiateVersion(heartbeatApi, 0, 4) // what the broker's ApiVersions response said
const correlationId = 7
const request = { groupId: 'billing', generationId: 3, memberId: 'm-1', groupInstanceId: null }
const sent = encodeRequestFrame(heartbeatApi, version, correlationId, 'my-client', request)

// The broker's side: cut the byte stream into frames, read one, answer it.
const answered: Buffer[] = []
const requests = new FrameSplitter(100 * 1024 * 1024)
for (const chunk of sent) {
  requests.push(chunk, (frame) => {
    const reader = new Reader(frame)
    const header = decodeRequestHeader(reader)
    const heartbeat = decodeRequestBody(heartbeatApi, header.apiVersion, reader)
    const errorCode = heartbeat.generationId === 4 ? ErrorCode.NONE : ErrorCode.ILLEGAL_GENERATION
    answered.push(...encodeResponseFrame(heartbeatApi, header.apiVersion, header.correlationId, { throttleTimeMs: 0, errorCode }))
  })
}

// The client's side again.
export const received: string[] = []
const responses = new FrameSplitter(100 * 1024 * 1024)
for (const chunk of answered) {
  responses.push(chunk, (frame) => {
    const reader = new Reader(frame)
    const id = decodeCorrelationId(reader)
    const { errorCode } = decodeResponseBody(heartbeatApi, version, reader)
    received.push(`${id}: ${errorFor(errorCode).message}`)
  })
}
// received is now ['7: ILLEGAL_GENERATION: the generation is not the current one of the group']
