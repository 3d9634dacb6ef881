import { MEMORY_SLAB_MAX_BYTES, MEMORY_SLAB_MIN_BYTES } from '../limits.ts'
import { StorageError, type Storage, type StorageFile } from './storage.ts'

/** Files in memory. The content of a broker without a data directory, and the disk of simulations. */
export class MemoryStorage implements Storage {
  readonly #files = new Map<string, MemoryFile>()
  /** The names in each directory: a broker has thousands, and looks into each when it opens a log. */
  readonly #directories = new Map<string, Set<string>>([['', new Set()]])

  open(path: string): StorageFile {
    return this.#files.get(path) ?? this.#create('open', path)
  }

  exists(path: string): boolean {
    return this.#files.has(path) || this.#directories.has(path)
  }

  list(directory: string): string[] {
    return [...(this.#directories.get(directory) ?? [])].sort()
  }

  mkdir(directory: string): void {
    if (this.#directories.has(directory)) return
    const parent = parentOf(directory)
    this.mkdir(parent)
    this.#directories.get(parent)!.add(nameOf(directory))
    this.#directories.set(directory, new Set())
  }

  rename(from: string, to: string): void {
    const names = this.#directories.get(from)
    const file = this.#files.get(from)
    if (names === undefined && file === undefined) throw new StorageError('rename', from, new Error('no such file or directory'))
    this.#list('rename', to)
    if (from === to) return
    this.#unlist(from)
    if (file !== undefined) {
      this.#files.delete(from)
      this.#files.set(to, file)
      file.path = to
      return
    }
    this.#directories.set(to, this.#directories.get(to) ?? new Set())
    for (const name of names!) this.rename(`${from}/${name}`, `${to}/${name}`)
    this.#directories.delete(from)
  }

  remove(path: string): void {
    if (this.#files.delete(path)) this.#unlist(path)
  }

  removeDirectory(directory: string): void {
    const names = this.#directories.get(directory)
    if (names === undefined) return
    for (const name of names) {
      const path = `${directory}/${name}`
      if (this.#directories.has(path)) this.removeDirectory(path)
      else this.remove(path)
    }
    this.#directories.delete(directory)
    this.#unlist(directory)
  }

  readFile(path: string): Buffer | null {
    return this.#files.get(path)?.toBuffer() ?? null
  }

  writeFile(path: string, content: Buffer | string): void {
    this.#create('write', path).append(typeof content === 'string' ? Buffer.from(content) : content)
  }

  syncDirectory(): void {}

  /** In the place of one that is there. */
  #create(action: string, path: string): MemoryFile {
    this.#list(action, path)
    const file = new MemoryFile(path)
    this.#files.set(path, file)
    return file
  }

  #list(action: string, path: string): void {
    const names = this.#directories.get(parentOf(path))
    if (names === undefined) throw new StorageError(action, path, new Error('no such directory'))
    names.add(nameOf(path))
  }

  #unlist(path: string): void {
    this.#directories.get(parentOf(path))?.delete(nameOf(path))
  }
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
