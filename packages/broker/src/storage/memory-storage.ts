import { MEMORY_SLAB_MAX_BYTES, MEMORY_SLAB_MIN_BYTES } from '../limits.ts'
import { StorageError, type Storage, type StorageFile } from './storage.ts'

/** Files in memory. The content of a broker without a data directory, and the disk of simulations. */
export class MemoryStorage implements Storage {
  readonly #files = new Map<string, MemoryFile>()
  readonly #directories = new Set<string>([''])

  open(path: string): StorageFile {
    let file = this.#files.get(path)
    if (file === undefined) {
      if (!this.#directories.has(parentOf(path))) throw new StorageError('open', path, new Error('no such directory'))
      file = new MemoryFile(path)
      this.#files.set(path, file)
    }
    return file
  }

  exists(path: string): boolean {
    return this.#files.has(path) || this.#directories.has(path)
  }

  list(directory: string): string[] {
    const names: string[] = []
    for (const path of this.#files.keys()) if (parentOf(path) === directory) names.push(nameOf(path))
    for (const path of this.#directories) if (path !== '' && parentOf(path) === directory) names.push(nameOf(path))
    return names.sort()
  }

  mkdir(directory: string): void {
    for (let path = directory; path !== ''; path = parentOf(path)) this.#directories.add(path)
  }

  rename(from: string, to: string): void {
    const file = this.#files.get(from)
    if (file !== undefined) {
      this.#files.delete(from)
      this.#files.set(to, file)
      file.path = to
      return
    }
    if (!this.#directories.has(from)) throw new StorageError('rename', from, new Error('no such file or directory'))
    for (const [path, inner] of Array.from(this.#files)) {
      if (!path.startsWith(`${from}/`)) continue
      this.#files.delete(path)
      inner.path = to + path.slice(from.length)
      this.#files.set(inner.path, inner)
    }
    for (const path of Array.from(this.#directories)) {
      if (path !== from && !path.startsWith(`${from}/`)) continue
      this.#directories.delete(path)
      this.#directories.add(to + path.slice(from.length))
    }
  }

  remove(path: string): void {
    this.#files.delete(path)
  }

  removeDirectory(directory: string): void {
    for (const path of this.#files.keys()) if (path.startsWith(`${directory}/`)) this.#files.delete(path)
    for (const path of this.#directories) {
      if (path === directory || path.startsWith(`${directory}/`)) this.#directories.delete(path)
    }
  }

  readFile(path: string): Buffer | null {
    return this.#files.get(path)?.toBuffer() ?? null
  }

  writeFile(path: string, content: Buffer | string): void {
    if (!this.#directories.has(parentOf(path))) throw new StorageError('write', path, new Error('no such directory'))
    const file = new MemoryFile(path)
    file.append(typeof content === 'string' ? Buffer.from(content) : content)
    this.#files.set(path, file)
  }

  syncDirectory(): void {}
}

/** A run of bytes that never moves. Bytes below `used` are never written again, unless by a positioned `write`. */
interface Slab {
  readonly start: number
  readonly bytes: Buffer
  used: number
}

/**
 * A file as a list of slabs. An appended piece is copied, so that a small batch does not keep the whole network frame it
 * came in alive, and never straddles two slabs, so that whoever reads it gets a view.
 */
class MemoryFile implements StorageFile {
  path: string
  #slabs: Slab[] = []
  #size = 0

  constructor(path: string) {
    this.path = path
  }

  get size(): number {
    return this.#size
  }

  append(bytes: Buffer): void {
    if (bytes.length === 0) return
    let slab = this.#slabs.at(-1)
    if (slab === undefined || slab.bytes.length - slab.used < bytes.length) slab = this.#addSlab(bytes.length)
    bytes.copy(slab.bytes, slab.used)
    slab.used += bytes.length
    this.#size += bytes.length
  }

  write(position: number, bytes: Buffer): void {
    if (position > this.#size) this.append(Buffer.alloc(position - this.#size))
    let written = 0
    while (written < bytes.length && position + written < this.#size) {
      const slab = this.#slabAt(position + written)
      const from = position + written - slab.start
      written += bytes.copy(slab.bytes, from, written, written + Math.min(slab.used - from, bytes.length - written))
    }
    if (written < bytes.length) this.append(bytes.subarray(written))
  }

  read(position: number, length: number): Buffer {
    const available = Math.min(length, this.#contiguousFrom(position))
    if (available <= 0) return Buffer.alloc(0)
    const slab = this.#slabAt(position)
    return slab.bytes.subarray(position - slab.start, position - slab.start + available)
  }

  #contiguousFrom(position: number): number {
    if (position < 0 || position >= this.#size) return 0
    const slab = this.#slabAt(position)
    return slab.start + slab.used - position
  }

  truncate(size: number): void {
    if (size >= this.#size) return
    while (this.#slabs.length > 0 && this.#slabs.at(-1)!.start >= size) this.#slabs.pop()
    const last = this.#slabs.pop()
    if (last !== undefined) {
      const used = size - last.start
      // Cut to its content, so that the next append opens a new slab and views of the removed bytes stay as they were.
      this.#slabs.push({ start: last.start, bytes: last.bytes.subarray(0, used), used })
    }
    this.#size = size
  }

  sync(): void {}

  syncInBackground(done: (error: StorageError | null) => void): void {
    done(null)
  }

  close(): void {}

  toBuffer(): Buffer {
    return Buffer.concat(this.#slabs.map((slab) => slab.bytes.subarray(0, slab.used)))
  }

  /** Slabs grow with the file: a broker has many nearly empty partitions, and a few large ones. */
  #addSlab(atLeast: number): Slab {
    const grown = Math.min(Math.max(this.#size, MEMORY_SLAB_MIN_BYTES), MEMORY_SLAB_MAX_BYTES)
    const slab = { start: this.#size, bytes: Buffer.allocUnsafeSlow(Math.max(atLeast, grown)), used: 0 }
    this.#slabs.push(slab)
    return slab
  }

  #slabAt(position: number): Slab {
    let low = 0
    let high = this.#slabs.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#slabs[middle]!.start <= position) low = middle
      else high = middle - 1
    }
    return this.#slabs[low]!
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? '' : path.slice(0, slash)
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
