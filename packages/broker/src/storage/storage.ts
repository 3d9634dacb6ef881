import { KafkaError } from '@millrace/protocol'
import type { ReadTarget } from './read-memory.ts'

/**
 * Where a broker keeps its files. Every call is synchronous: the state machines above it see one storage operation as
 * one step. Paths are relative to the storage's root and use `/`. Every failure is a `StorageError` that names the path.
 */
export interface Storage {
  /** Opens a file to read and write, and creates it empty when it is absent. Its directory must exist. */
  open(path: string): StorageFile
  exists(path: string): boolean
  /** Names (not paths) of the files and directories in `directory`, sorted; empty when it does not exist. */
  list(directory: string): string[]
  /** Creates the directory and the missing ones above it. */
  mkdir(directory: string): void
  /** Replaces `to` when it exists. Open files keep working. */
  rename(from: string, to: string): void
  /** Removes a file; does nothing when it is absent. */
  remove(path: string): void
  /** Removes a directory and all in it; does nothing when it is absent. */
  removeDirectory(directory: string): void
  /** The file's whole content, or null when it is absent. */
  readFile(path: string): Buffer | null
  /** Replaces the file's content: a reader, or a restart after a crash, sees the old content or the new, nothing between. */
  writeFile(path: string, content: Buffer | string): void
  /** Makes the creation, renaming and removal of the directory's entries survive a power failure. */
  syncDirectory(directory: string): void
}

/** One open file. */
export interface StorageFile {
  readonly path: string
  /** Bytes in the file. */
  readonly size: number
  /** Adds bytes at the end. All or nothing: after a failure the file has its former size. */
  append(bytes: Buffer): void
  /** Overwrites bytes from `position` on, and extends the file when they reach past its end. */
  write(position: number, bytes: Buffer): void
  /**
   * Up to `length` bytes from `position` on; fewer at the end of the file and where handing out more would need a copy, but never less than
   * the rest of the piece that was appended there. The bytes may be a view that stays valid and unchanged: `append` and
   * `truncate` never touch it. With a `target`, bytes that have to be copied are put there.
   */
  read(position: number, length: number, target?: ReadTarget): Buffer
  /** Cuts the file to `size` bytes; never extends it. */
  truncate(size: number): void
  /** Makes the content survive a power failure before it returns. */
  sync(): void
  /** Like `sync`, without holding up the caller; `done` is told of the failure, if any. */
  syncInBackground(done: (error: StorageError | null) => void): void
  close(): void
}

/**
 * The storage could not do what was asked: the disk is full, a permission is missing, the device failed.
 * `code` is `KAFKA_STORAGE_ERROR`, which clients retry.
 */
export class StorageError extends KafkaError {
  override readonly name: string = 'StorageError'
  /** The file or directory at fault. */
  readonly path: string

  constructor(action: string, path: string, cause?: unknown) {
    const reason = cause instanceof Error ? `: ${cause.message}` : ''
    super('KAFKA_STORAGE_ERROR', `cannot ${action} ${path}${reason}`, { retriable: true, cause })
    this.path = path
  }
}
