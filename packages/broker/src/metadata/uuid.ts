/** A random (version 4) Uuid in Kafka's text form; never one that begins with `-`, which command lines take for an option (Uuid.randomUuid). */
export function randomUuid(random: () => number): string {
  for (;;) {
    const text = randomUuidBytes(random).toString('base64url')
    if (!text.startsWith('-')) return text
  }
}

/** The same as 8-4-4-4-12 hexadecimal digits, as Java's UUID prints it: member ids. */
export function randomJavaUuid(random: () => number): string {
  const hex = randomUuidBytes(random).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function randomUuidBytes(random: () => number): Buffer {
  const bytes = Buffer.allocUnsafe(16)
  for (let i = 0; i < 16; i++) bytes[i] = Math.floor(random() * 256)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes
}
