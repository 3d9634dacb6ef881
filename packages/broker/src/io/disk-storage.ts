import {
  closeSync,
  existsSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { ReadTarget } from '../storage/read-memory.ts'
import { StorageError, type Storage, type StorageFile } from '../storage/storage.ts'

export interface DiskStorageOptions {
  /**
   * Whether `writeFile` waits for the disk, so that the replaced content survives a power failure; without it, it survives a
   * killed process. Default false.
   */
  readonly syncWrites?: boolean
}

/** Files below one directory of the machine. */
export class DiskStorage implements Storage {
  readonly root: string
  readonly #syncWrites: boolean

  /** `root` is created when it is absent. Throws StorageError when that fails. */
  constructor(root: string, options: DiskStorageOptions = {}) {
    this.root = root
    this.#syncWrites = options.syncWrites ?? false
    attempt('create', root, () => mkdirSync(root, { recursive: true }))
  }

  open(path: string): StorageFile {
    return new DiskFile(join(this.root, path))
  }

  exists(path: string): boolean {
    return existsSync(join(this.root, path))
  }

  list(directory: string): string[] {
    const full = join(this.root, directory)
    return attempt('list', full, () => (existsSync(full) ? readdirSync(full).sort() : []))
  }

  mkdir(directory: string): void {
    const full = join(this.root, directory)
    attempt('create', full, () => mkdirSync(full, { recursive: true }))
  }

  rename(from: string, to: string): void {
    const full = join(this.root, from)
    attempt('rename', full, () => renameSync(full, join(this.root, to)))
  }

  remove(path: string): void {
    const full = join(this.root, path)
    attempt('remove', full, () => rmSync(full, { force: true }))
  }

  removeDirectory(directory: string): void {
    const full = join(this.root, directory)
    attempt('remove', full, () => rmSync(full, { force: true, recursive: true }))
  }

  readFile(path: string): Buffer | null {
    const full = join(this.root, path)
    return attempt('read', full, () => {
      try {
        return readFileSync(full)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
        throw error
      }
    })
  }

  writeFile(path: string, content: Buffer | string): void {
    const full = join(this.root, path)
    const temporary = `${full}.tmp`
    attempt('write', full, () => {
      const descriptor = openSync(temporary, 'w')
      try {
        writeFully(descriptor, typeof content === 'string' ? Buffer.from(content) : content, 0)
        // Without this the rename may reach the disk before the content does.
        if (this.#syncWrites) fsyncSync(descriptor)
      } finally {
        closeSync(descriptor)
      }
      renameSync(temporary, full)
    })
    if (this.#syncWrites) attempt('sync', dirname(full), () => syncDirectory(dirname(full)))
  }

  syncDirectory(directory: string): void {
    const full = join(this.root, directory)
    attempt('sync', full, () => syncDirectory(full))
  }
}

class DiskFile implements StorageFile {
  readonly path: string
  readonly #descriptor: number
  #size: number
  #closed = false
  #pendingSyncs = 0

  constructor(path: string) {
    this.path = path
    this.#descriptor = attempt('open', path, () => openOrCreate(path))
    this.#size = attempt('open', path, () => fstatSync(this.#descriptor).size)
  }

  get size(): number {
    return this.#size
  }

  append(bytes: Buffer): void {
    const before = this.#size
    try {
      writeFully(this.#descriptor, bytes, before)
    } catch (error) {
      // A part may have been written; whatever comes next must find the end where it was.
      try {
        ftruncateSync(this.#descriptor, before)
      } catch {
        // The append below `before + bytes.length` is overwritten by the next one, and recovery cuts a torn tail.
      }
      throw new StorageError('append to', this.path, error)
    }
    this.#size = before + bytes.length
  }

  write(position: number, bytes: Buffer): void {
    attempt('write', this.path, () => writeFully(this.#descriptor, bytes, position))
    this.#size = Math.max(this.#size, position + bytes.length)
  }

  read(position: number, length: number, memory?: ReadTarget): Buffer {
    const wanted = Math.min(length, this.#contiguousFrom(position))
    if (wanted <= 0) return Buffer.alloc(0)
    const target = memory === undefined ? Buffer.allocUnsafeSlow(wanted) : memory.take(wanted)
    return attempt('read', this.path, () => {
      let filled = 0
      while (filled < wanted) {
        const count = readSync(this.#descriptor, target, filled, wanted - filled, position + filled)
        if (count === 0) break
        filled += count
      }
      return filled === wanted ? target : target.subarray(0, filled)
    })
  }

  #contiguousFrom(position: number): number {
    return position < 0 ? 0 : Math.max(0, this.#size - position)
  }

  truncate(size: number): void {
    if (size >= this.#size) return
    attempt('truncate', this.path, () => ftruncateSync(this.#descriptor, size))
    this.#size = size
  }

  sync(): void {
    attempt('sync', this.path, () => fsyncSync(this.#descriptor))
  }

  syncInBackground(done: (error: StorageError | null) => void): void {
    this.#pendingSyncs++
    fsync(this.#descriptor, (error) => {
      this.#pendingSyncs--
      if (this.#closed) this.#closeDescriptor()
      done(error === null ? null : new StorageError('sync', this.path, error))
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#closeDescriptor()
  }

  /** The descriptor's number would be given to another file while a sync that names it is under way. */
  #closeDescriptor(): void {
    if (this.#pendingSyncs === 0) attempt('close', this.path, () => closeSync(this.#descriptor))
  }
}

function openOrCreate(path: string): number {
  try {
    return openSync(path, 'r+')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return openSync(path, 'wx+')
  }
}

function writeFully(descriptor: number, bytes: Buffer, position: number): void {
  let written = 0
  while (written < bytes.length) written += writeSync(descriptor, bytes, written, bytes.length - written, position + written)
}

function syncDirectory(path: string): void {
  // Windows cannot open a directory; NTFS journals the entries itself.
  if (process.platform === 'win32') return
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function attempt<Result>(action: string, path: string, run: () => Result): Result {
  try {
    return run()
  } catch (error) {
    throw new StorageError(action, path, error)
  }
}
