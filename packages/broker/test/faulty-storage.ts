import { StorageError, type Storage, type StorageFile } from '../src/storage/storage.ts'
import type { MemoryStorage } from '../src/storage/memory-storage.ts'

/** Thrown by every operation from the moment on at which the process is taken for dead. */
export class Killed extends Error {
  override readonly name = 'Killed'
}

/** What happens at a change of the disk: it is done, it fails and has no effect, or the process dies having done a part of it. */
export type Fault = 'none' | 'error' | { readonly killAfterBytes: number }

/**
 * A disk that fails or kills its process at a chosen change. What was changed before survives in the storage inside, as after a SIGKILL.
 * Changes are appends, positioned writes, truncations, renames, removals, new files and directories, and replaced files.
 */
export class FaultyStorage implements Storage {
  readonly inner: MemoryStorage
  /** Changes asked for so far. */
  changes = 0
  readonly #decide: (change: number, what: string) => Fault
  #isDead = false

  constructor(inner: MemoryStorage, decide: (change: number, what: string) => Fault = () => 'none') {
    this.inner = inner
    this.#decide = decide
  }

  open(path: string): StorageFile {
    if (this.inner.exists(path)) this.#checkAlive()
    else this.change(`create ${path}`, path, () => undefined)
    return new FaultyFile(this, this.inner.open(path))
  }

  exists(path: string): boolean {
    this.#checkAlive()
    return this.inner.exists(path)
  }

  list(directory: string): string[] {
    this.#checkAlive()
    return this.inner.list(directory)
  }

  mkdir(directory: string): void {
    if (!this.inner.exists(directory)) this.change(`mkdir ${directory}`, directory, () => this.inner.mkdir(directory))
  }

  rename(from: string, to: string): void {
    this.change(`rename ${from}`, from, () => this.inner.rename(from, to))
  }

  remove(path: string): void {
    if (this.inner.exists(path)) this.change(`remove ${path}`, path, () => this.inner.remove(path))
  }

  removeDirectory(directory: string): void {
    if (this.inner.exists(directory)) this.change(`remove ${directory}`, directory, () => this.inner.removeDirectory(directory))
  }

  readFile(path: string): Buffer | null {
    this.#checkAlive()
    return this.inner.readFile(path)
  }

  writeFile(path: string, content: Buffer | string): void {
    this.change(`replace ${path}`, path, () => this.inner.writeFile(path, content))
  }

  syncDirectory(): void {
    this.#checkAlive()
  }

  /** @internal `torn` does a part of the change, when it can be done in parts. */
  change(what: string, path: string, apply: () => void, torn: (bytes: number) => void = () => undefined): void {
    this.#checkAlive()
    const fault = this.#decide(this.changes++, what)
    if (fault === 'error') throw new StorageError('change', path, new Error('ENOSPC: no space left on device'))
    if (fault === 'none') {
      apply()
      return
    }
    this.#isDead = true
    torn(fault.killAfterBytes)
    throw new Killed()
  }

  #checkAlive(): void {
    if (this.#isDead) throw new Killed()
  }
}

class FaultyFile implements StorageFile {
  readonly #storage: FaultyStorage
  readonly #file: StorageFile

  constructor(storage: FaultyStorage, file: StorageFile) {
    this.#storage = storage
    this.#file = file
  }

  get path(): string {
    return this.#file.path
  }

  get size(): number {
    return this.#file.size
  }

  append(bytes: Buffer): void {
    this.#storage.change(
      `append ${this.path}`,
      this.path,
      () => this.#file.append(bytes),
      (count) => this.#file.append(bytes.subarray(0, Math.min(count, bytes.length))),
    )
  }

  write(position: number, bytes: Buffer): void {
    this.#storage.change(`write ${this.path}`, this.path, () => this.#file.write(position, bytes))
  }

  read(position: number, length: number): Buffer {
    return this.#file.read(position, length)
  }

  truncate(size: number): void {
    if (size < this.size) this.#storage.change(`truncate ${this.path}`, this.path, () => this.#file.truncate(size))
  }

  sync(): void {}

  syncInBackground(done: (error: StorageError | null) => void): void {
    done(null)
  }

  close(): void {}
}
