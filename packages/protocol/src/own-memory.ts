const OWN = Symbol('memory of its own')

interface MarkedMemory extends ArrayBuffer {
  [OWN]?: true
}

/**
 * Whoever has allocated these bytes says that nothing else lies in their memory, nor will, so that it can be freed with them. That cannot be seen: Node gives out
 * parts of a pool whose size may have been changed.
 */
export function markOwnMemory(bytes: Buffer): Buffer {
  ;(bytes.buffer as MarkedMemory)[OWN] = true
  return bytes
}

/**
 * The same of bytes for which `Buffer.allocUnsafe`, or what uses it, has allocated so many, at the least: Node's pool serves less than half its size at once.
 */
export function markUnpooled(bytes: Buffer, allocatedBytes: number): Buffer {
  return allocatedBytes >= Buffer.poolSize >>> 1 ? markOwnMemory(bytes) : bytes
}

/** What these bytes, with others of the same owner at most, lie in; null if anything else may lie there. */
export function ownMemoryOf(bytes: Buffer): ArrayBuffer | null {
  const memory = bytes.buffer as MarkedMemory
  return memory[OWN] === true ? memory : null
}

/** Frees it at once, not when the garbage collector comes by: whatever is a view of it is empty then. What cannot be freed so is left to the collector. */
export function freeMemory(memory: ArrayBuffer): void {
  if (memory.detached) return
  try {
    memory.transfer(0)
  } catch {
    // Memory of a native library that may not be detached.
  }
}
