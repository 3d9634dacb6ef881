/** Where the generator of all payloads begins: every client sends the same bytes. */
const SEED = 20_261_121

const WORDS =
  'order shipped to customer after payment was confirmed by the bank and stock of item in warehouse checked again because parcel label route driver depot returned late'.split(
    ' ',
  )
const KINDS = ['created', 'paid', 'packed', 'shipped', 'returned', 'cancelled']

/**
 * `count` different JSON objects of exactly `bytes` bytes each: ids and amounts that differ, names and words that repeat, as events
 * of a service do. Codecs find less in them than in a constant and more than in noise. The same for the same arguments.
 */
export function payload(count: number, bytes: number, seed: number = SEED): Buffer[] {
  const random = randomOf(seed)
  return Array.from({ length: count }, (_, index) => Buffer.from(event(random, index, bytes), 'latin1'))
}

function event(random: () => number, index: number, bytes: number): string {
  const id = Math.floor(random() * 0x1_0000_0000)
    .toString(16)
    .padStart(8, '0')
  const kind = KINDS[Math.floor(random() * KINDS.length)]
  const head = `{"id":"${id}","seq":${index},"kind":"${kind}","total":${(random() * 1000).toFixed(2)},"note":"`
  const tail = '"}'
  const room = bytes - head.length - tail.length
  if (room < 0) throw new Error(`a payload of ${bytes} bytes is too short for its fields`)
  let note = ''
  while (note.length < room) note += `${word(random)} `
  return head + note.slice(0, room) + tail
}

/** One word in four is a number that no other message is likely to have. */
function word(random: () => number): string {
  if (random() < 0.25) return String(Math.floor(random() * 1_000_000))
  return WORDS[Math.floor(random() * WORDS.length)]!
}

/** Numbers from 0 to below 1 that are the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}
