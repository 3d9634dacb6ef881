export {
  decodeCorrelationId,
  decodeRequestBody,
  decodeRequestHeader,
  decodeResponseBody,
  encodeRequestFrame,
  encodeResponseFrame,
  type RequestHeader,
} from './frame.ts'
export { FrameSplitter } from './frame-splitter.ts'
export { Reader } from './wire/reader.ts'
export { Writer } from './wire/writer.ts'
