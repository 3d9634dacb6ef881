import { StorageError, type Storage, type StorageFile } from '@millrace/broker/internal'
import type { SeededRandom } from './seeded-random.ts'
import { SimFile } from './sim-file.ts'

/** The tree of one point in time; files are shared between trees, as a directory entry is only a name. */
interface Tree {
  readonly files: Map<string, SimFile>
  readonly directories: Set<string>
}

type Change = (tree: Tree) => void

/** Runs an action after the time that a disk takes. */
type Later = (action: () => void) => void

/**
 * A disk in memory that can fail as disks do. A killed process loses nothing; `losePower` takes what was not synced: the
 * ends of files are torn, and names that no `syncDirectory` made sure of may be the old ones.
 */
export class SimDisk implements Storage {
  /** Writes that succeed before the disk is full; each one after that throws. Infinity: it never fills. */
  writesUntilFull: number = Infinity
  /** Writes that a full disk refused so far. */
  refusedWrites = 0
  #live: Tree = emptyTree()
  #platter: Tree = emptyTree()
  /** Changes of names that are not on the platter yet, in order. */
  #journal: Change[] = []
  readonly #later: Later
  #interruptions = 0

  /** @param later when a sync in the background is done; at once by default */
  constructor(later: Later = (action) => action()) {
    this.#later = later
  }

  open(path: string): StorageFile {
    let file = this.#live.files.get(path)
    if (file === undefined) {
      if (!this.#live.directories.has(parentOf(path)))
        throw new StorageError('open', path, new Error('ENOENT: no such directory'))
      this.#spend('open', path)
      const created = new SimFile()
      file = created
      this.#change((tree) => tree.files.set(path, created))
    }
    return new OpenSimFile(path, file, (action) => this.#spend(action, path), this.#syncLater)
  }

  exists(path: string): boolean {
    return this.#live.files.has(path) || this.#live.directories.has(path)
  }

  list(directory: string): string[] {
    const paths = [...this.#live.files.keys(), ...this.#live.directories].filter(
      (path) => path !== '' && parentOf(path) === directory,
    )
    return paths.map((path) => path.slice(path.lastIndexOf('/') + 1)).toSorted()
  }

  mkdir(directory: string): void {
    if (this.#live.directories.has(directory)) return
    this.#spend('create', directory)
    this.#change((tree) => {
      for (let path = directory; path !== ''; path = parentOf(path)) tree.directories.add(path)
    })
  }

  rename(from: string, to: string): void {
    if (!this.exists(from)) throw new StorageError('rename', from, new Error('ENOENT: no such file or directory'))
    this.#spend('rename', from)
    this.#change((tree) => move(tree, from, to))
  }

  remove(path: string): void {
    if (this.#live.files.has(path)) this.#change((tree) => tree.files.delete(path))
  }

  removeDirectory(directory: string): void {
    if (this.exists(directory)) this.#change((tree) => take(tree, directory))
  }

  readFile(path: string): Buffer | null {
    const file = this.#live.files.get(path)
    return file === undefined ? null : Buffer.from(file.read(0, file.size))
  }

  /** As the real one does it: a synced file beside it, renamed over it. */
  writeFile(path: string, content: Buffer | string): void {
    if (!this.#live.directories.has(parentOf(path))) throw new StorageError('write', path, new Error('ENOENT: no such directory'))
    this.#spend('write', path)
    const file = new SimFile()
    file.append(Buffer.from(content))
    file.sync()
    this.#change((tree) => tree.files.set(path, file))
  }

  /** Brings all changes of names so far to the platter: a journalling file system commits them in order. */
  syncDirectory(): void {
    for (const change of this.#journal) change(this.#platter)
    this.#journal = []
  }

  /** The power goes and comes back. What is left is on the platter; nothing may use files opened before. */
  losePower(random: SeededRandom): void {
    this.interruptSyncs()
    for (const change of this.#journal.slice(0, random.between(0, this.#journal.length))) change(this.#platter)
    this.#journal = []
    for (const file of new Set(this.#platter.files.values())) file.losePower(random)
    this.#live = { files: new Map(this.#platter.files), directories: new Set(this.#platter.directories) }
  }

  /** Whoever waits for a sync is no more: what is not on the platter yet may stay away from it. */
  interruptSyncs(): void {
    this.#interruptions++
  }

  /** What is in the file is on the platter when it is done. */
  readonly #syncLater = (file: SimFile, done: () => void): void => {
    const before = this.#interruptions
    this.#later(() => {
      if (this.#interruptions !== before) return
      file.sync()
      done()
    })
  }

  #change(change: Change): void {
    change(this.#live)
    this.#journal.push(change)
  }

  #spend(action: string, path: string): void {
    if (this.writesUntilFull <= 0) {
      this.refusedWrites++
      throw new StorageError(action, path, new Error('ENOSPC: no space left on device'))
    }
    this.writesUntilFull--
  }
}

class OpenSimFile implements StorageFile {
  readonly path: string
  readonly #file: SimFile
  readonly #spend: (action: string) => void
  readonly #syncLater: (file: SimFile, done: () => void) => void

  constructor(
    path: string,
    file: SimFile,
    spend: (action: string) => void,
    syncLater: (file: SimFile, done: () => void) => void,
  ) {
    this.path = path
    this.#file = file
    this.#spend = spend
    this.#syncLater = syncLater
  }

  get size(): number {
    return this.#file.size
  }

  append(bytes: Buffer): void {
    this.#spend('append to')
    this.#file.append(bytes)
  }

  write(position: number, bytes: Buffer): void {
    this.#spend('write')
    this.#file.write(position, bytes)
  }

  read(position: number, length: number): Buffer {
    return this.#file.read(position, length)
  }

  contiguousFrom(position: number): number {
    return Math.max(0, this.#file.size - position)
  }

  truncate(size: number): void {
    this.#file.truncate(size)
  }

  sync(): void {
    this.#file.sync()
  }

  syncInBackground(done: (error: StorageError | null) => void): void {
    this.#syncLater(this.#file, () => done(null))
  }

  close(): void {}
}

function emptyTree(): Tree {
  return { files: new Map(), directories: new Set(['']) }
}

function move(tree: Tree, from: string, to: string): void {
  const moved = take(tree, from)
  for (const [path, file] of moved.files) tree.files.set(to + path.slice(from.length), file)
  for (const path of moved.directories) tree.directories.add(to + path.slice(from.length))
}

/** Removes a file or a directory with all in it, and gives back what it removed. */
function take(tree: Tree, root: string): Tree {
  const within = (path: string): boolean => path === root || path.startsWith(`${root}/`)
  const files = new Map([...tree.files].filter(([path]) => within(path)))
  const directories = new Set([...tree.directories].filter(within))
  for (const path of files.keys()) tree.files.delete(path)
  for (const path of directories) tree.directories.delete(path)
  return { files, directories }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
