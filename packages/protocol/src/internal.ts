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
export { freeMemory, markOwnMemory, markUnpooled, ownMemoryOf } from './own-memory.ts'
export { asKafkaError, isA, messageOf, nameAndMessageOf } from './thrown.ts'
export { checkVersion, EMPTY_BYTES, newList, nullField, unsupportedField, ZERO_UUID } from './wire/fields.ts'
export { Reader } from './wire/reader.ts'
export { Writer } from './wire/writer.ts'
