/**
 * XXH3 with 64 bits, no seed and the usual secret (github.com/Cyan4973/xxHash, doc/xxhash_spec.md): the hash under which Kafka keeps what
 * a group knew of its topics. In BigInt, for it runs once per change of a topic; it must only be the same as Kafka's.
 */
const MASK = (1n << 64n) - 1n
const PRIME32_1 = 0x9e3779b1n
const PRIME32_2 = 0x85ebca77n
const PRIME32_3 = 0xc2b2ae3dn
const PRIME64_1 = 0x9e3779b185ebca87n
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn
const PRIME64_3 = 0x165667b19e3779f9n
const PRIME64_4 = 0x85ebca77c2b2ae63n
const PRIME64_5 = 0x27d4eb2f165667c5n
const MIX_1 = 0x165667919e3779f9n
const MIX_2 = 0x9fb21c651e98df25n

const SECRET = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
    '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364' +
    'eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
)

const STRIPE = 64
/** Stripes that one pass over the secret is good for. */
const STRIPES_PER_BLOCK = (SECRET.length - STRIPE) / 8

/** The hash as Java's signed long. */
export function xxh3(bytes: Buffer): bigint {
  return BigInt.asIntN(64, hash(bytes))
}

function hash(bytes: Buffer): bigint {
  const { length } = bytes
  if (length <= 3) return upTo3(bytes)
  if (length <= 8) return upTo8(bytes)
  if (length <= 16) return upTo16(bytes)
  if (length <= 128) return upTo128(bytes)
  if (length <= 240) return upTo240(bytes)
  return long(bytes)
}

const secret = (position: number): bigint => SECRET.readBigUInt64LE(position)
const wrap = (value: bigint): bigint => value & MASK

function swap64(value: bigint): bigint {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64LE(value)
  return bytes.readBigUInt64BE(0)
}

function rotate(value: bigint, bits: bigint): bigint {
  return wrap((value << bits) | (value >> (64n - bits)))
}

function fold(a: bigint, b: bigint): bigint {
  const product = a * b
  return wrap(product) ^ (product >> 64n)
}

function avalanche(value: bigint): bigint {
  const mixed = wrap((value ^ (value >> 37n)) * MIX_1)
  return mixed ^ (mixed >> 32n)
}

/** XXH64's. */
function olderAvalanche(value: bigint): bigint {
  let mixed = wrap((value ^ (value >> 33n)) * PRIME64_2)
  mixed = wrap((mixed ^ (mixed >> 29n)) * PRIME64_3)
  return mixed ^ (mixed >> 32n)
}

function upTo3(bytes: Buffer): bigint {
  const { length } = bytes
  if (length === 0) return olderAvalanche(secret(56) ^ secret(64))
  const combined = (bytes[0]! << 16) | (bytes[length >> 1]! << 24) | bytes[length - 1]! | (length << 8)
  const flip = BigInt(SECRET.readUInt32LE(0) ^ SECRET.readUInt32LE(4))
  return olderAvalanche(BigInt(combined >>> 0) ^ BigInt.asUintN(32, flip))
}

function upTo8(bytes: Buffer): bigint {
  const { length } = bytes
  const input = BigInt(bytes.readUInt32LE(length - 4)) + (BigInt(bytes.readUInt32LE(0)) << 32n)
  let mixed = input ^ secret(8) ^ secret(16)
  mixed ^= rotate(mixed, 49n) ^ rotate(mixed, 24n)
  mixed = wrap(mixed * MIX_2)
  mixed = wrap((mixed ^ ((mixed >> 35n) + BigInt(length))) * MIX_2)
  return mixed ^ (mixed >> 28n)
}

function upTo16(bytes: Buffer): bigint {
  const { length } = bytes
  const low = bytes.readBigUInt64LE(0) ^ secret(24) ^ secret(32)
  const high = bytes.readBigUInt64LE(length - 8) ^ secret(40) ^ secret(48)
  return avalanche(wrap(BigInt(length) + swap64(low) + high + fold(low, high)))
}

function mix16(bytes: Buffer, position: number, secretPosition: number): bigint {
  const low = bytes.readBigUInt64LE(position) ^ secret(secretPosition)
  const high = bytes.readBigUInt64LE(position + 8) ^ secret(secretPosition + 8)
  return fold(low, high)
}

function upTo128(bytes: Buffer): bigint {
  const { length } = bytes
  let sum = BigInt(length) * PRIME64_1
  for (let pair = (length - 1) >> 5; pair >= 0; pair--) {
    sum += mix16(bytes, 16 * pair, 32 * pair) + mix16(bytes, length - 16 * (pair + 1), 32 * pair + 16)
  }
  return avalanche(wrap(sum))
}

function upTo240(bytes: Buffer): bigint {
  const { length } = bytes
  const rounds = length >> 4
  let sum = BigInt(length) * PRIME64_1
  for (let round = 0; round < 8; round++) sum += mix16(bytes, 16 * round, 16 * round)
  sum = avalanche(wrap(sum))
  for (let round = 8; round < rounds; round++) sum += mix16(bytes, 16 * round, 16 * (round - 8) + 3)
  return avalanche(wrap(sum + mix16(bytes, length - 16, 119)))
}

function accumulate(lanes: bigint[], bytes: Buffer, position: number, secretPosition: number): void {
  for (let lane = 0; lane < 8; lane++) {
    const value = bytes.readBigUInt64LE(position + 8 * lane)
    const keyed = value ^ secret(secretPosition + 8 * lane)
    lanes[lane ^ 1] = wrap(lanes[lane ^ 1]! + value)
    lanes[lane] = wrap(lanes[lane]! + (keyed & 0xffffffffn) * (keyed >> 32n))
  }
}

function scramble(lanes: bigint[]): void {
  for (let lane = 0; lane < 8; lane++) {
    const value = lanes[lane]!
    lanes[lane] = wrap((value ^ (value >> 47n) ^ secret(SECRET.length - STRIPE + 8 * lane)) * PRIME32_1)
  }
}

function long(bytes: Buffer): bigint {
  const { length } = bytes
  const lanes = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1]
  const stripes = Math.trunc((length - 1) / STRIPE)
  for (let stripe = 0; stripe < stripes; stripe++) {
    const inBlock = stripe % STRIPES_PER_BLOCK
    accumulate(lanes, bytes, stripe * STRIPE, 8 * inBlock)
    if (inBlock === STRIPES_PER_BLOCK - 1) scramble(lanes)
  }
  accumulate(lanes, bytes, length - STRIPE, SECRET.length - STRIPE - 7)
  let sum = BigInt(length) * PRIME64_1
  for (let pair = 0; pair < 4; pair++) {
    sum += fold(lanes[2 * pair]! ^ secret(11 + 16 * pair), lanes[2 * pair + 1]! ^ secret(19 + 16 * pair))
  }
  return avalanche(wrap(sum))
}
