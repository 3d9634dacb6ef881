/** The outer structure of zstd's frames (RFC 8878 section 3.1): what they say of themselves without a look at what is compressed. */

const FRAME_MAGIC = 0xfd2f_b528
/** The last four bits may be any. */
const SKIPPABLE_MAGIC = 0x184d_2a5
const SKIPPABLE_HEADER_BYTES = 8
const MIN_FRAME_BYTES = 6
const MAX_BLOCK_BYTES = 128 * 1024
const BLOCK_HEADER_BYTES = 3
const CHECKSUM_BYTES = 4
const RLE_BLOCK = 1
const COMPRESSED_BLOCK = 2
const RESERVED_BLOCK = 3

export interface ZstdFrameHeader {
  /** What the frame states to hold; null where it does not, as with what Java writes. */
  readonly contentBytes: number | null
  readonly windowBytes: number
  readonly hasChecksum: boolean
  /** Where the first block begins. */
  readonly end: number
}

export interface ZstdFrame extends ZstdFrameHeader {
  /** Of all of it. */
  readonly bytes: number
  /** The most bytes that it can hold, going by the headers of its blocks. */
  readonly boundBytes: number
}

/** Null where `input` does not begin with the whole header of a frame. */
export function readZstdFrameHeader(input: Buffer): ZstdFrameHeader | null {
  if (input.length < MIN_FRAME_BYTES || input.readUInt32LE(0) !== FRAME_MAGIC) return null
  const flags = input[4]!
  const single = (flags & 0x20) !== 0
  const sizeCode = flags >>> 6
  const sizeAt = 5 + (single ? 0 : 1) + [0, 1, 2, 4][flags & 3]!
  const sizeBytes = sizeCode === 0 ? Number(single) : 1 << sizeCode
  if (input.length < sizeAt + sizeBytes) return null
  const contentBytes = sizeBytes === 0 ? null : readContentBytes(input, sizeAt, sizeBytes)
  const windowBytes = single ? contentBytes! : windowOf(input[5]!)
  return { contentBytes, windowBytes, hasChecksum: (flags & 0x04) !== 0, end: sizeAt + sizeBytes }
}

/** The frame that `input` begins with; null where it is not all there. */
export function readZstdFrame(input: Buffer): ZstdFrame | null {
  const header = readZstdFrameHeader(input)
  if (header === null) return null
  let boundBytes = 0
  let at = header.end
  for (let last = false; !last;) {
    if (input.length - at < BLOCK_HEADER_BYTES) return null
    const block = input.readUIntLE(at, BLOCK_HEADER_BYTES)
    const type = (block >>> 1) & 3
    const size = block >>> 3
    if (type === RESERVED_BLOCK) return null
    last = (block & 1) !== 0
    boundBytes += type === COMPRESSED_BLOCK ? MAX_BLOCK_BYTES : size
    at += BLOCK_HEADER_BYTES + (type === RLE_BLOCK ? 1 : size)
  }
  if (header.hasChecksum) at += CHECKSUM_BYTES
  return at > input.length ? null : { ...header, bytes: at, boundBytes }
}

/** How many bytes the skippable frame has that `input` begins with; 0 without one, or where it is not all there. */
function skippableFrameBytes(input: Buffer): number {
  if (input.length < SKIPPABLE_HEADER_BYTES || input.readUInt32LE(0) >>> 4 !== SKIPPABLE_MAGIC) return 0
  const bytes = SKIPPABLE_HEADER_BYTES + input.readUInt32LE(4)
  return bytes > input.length ? 0 : bytes
}

/** The frames that `input` consists of, skippable ones left out; what is no whole frame is the last of them. Readers of zstd take them as one (RFC 8878 section 3). */
export function splitZstdFrames(input: Buffer): Buffer[] {
  const frames: Buffer[] = []
  let rest = input
  while (rest.length > 0) {
    const skipped = skippableFrameBytes(rest)
    const bytes = skipped > 0 ? skipped : (readZstdFrame(rest)?.bytes ?? rest.length)
    if (skipped === 0) frames.push(rest.subarray(0, bytes))
    rest = rest.subarray(bytes)
  }
  return frames
}

function readContentBytes(input: Buffer, at: number, bytes: number): number {
  if (bytes === 1) return input[at]!
  if (bytes === 2) return input.readUInt16LE(at) + 256
  return bytes === 4 ? input.readUInt32LE(at) : Number(input.readBigUInt64LE(at))
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3))
  return base + (base / 8) * (descriptor & 7)
}
