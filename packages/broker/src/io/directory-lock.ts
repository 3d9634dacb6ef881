import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LOCK_ATTEMPTS_MAX } from '../limits.ts'
import { BrokerStartError } from './broker-start-error.ts'

const LOCK_FILE = '.lock'
/** Directories that brokers of this process hold. */
const held = new Set<string>()

export function isLockFile(name: string): boolean {
  return name === LOCK_FILE || name.startsWith(`${LOCK_FILE}.`)
}

/**
 * One broker per directory. The file `.lock` holds its owner: process id and, where the system tells, when that process started, for ids are given
 * again (in a container the broker is process 1 every time). A lock whose owner is gone (kill -9) is stale and is taken over.
 */
export class DirectoryLock {
  readonly #directory: string
  #released = false

  private constructor(directory: string) {
    this.#directory = directory
  }

  /** @throws BrokerStartError DATA_DIR_LOCKED; file system errors as they are */
  static take(directory: string): DirectoryLock {
    if (held.has(directory)) throw locked(directory, 'this process already')
    const file = join(directory, LOCK_FILE)
    const own = `${file}.${process.pid}`
    try {
      // A link puts the file there with its content in one step, so that nobody reads a lock without an owner.
      writeFileSync(own, identity(process.pid))
      for (let round = 0; round < LOCK_ATTEMPTS_MAX; round++) {
        if (tryLink(own, file)) {
          held.add(directory)
          return new DirectoryLock(directory)
        }
        const owner = readOwner(file)
        if (owner !== null && isAlive(owner)) throw locked(directory, `process ${owner.split(' ')[0]}`)
        removeStale(file, owner)
      }
      throw locked(directory, 'others that start at the same time')
    } finally {
      rmSync(own, { force: true })
    }
  }

  /** Gives the lock back. Safe to call twice. */
  release(): void {
    if (this.#released) return
    this.#released = true
    held.delete(this.#directory)
    rmSync(join(this.#directory, LOCK_FILE), { force: true })
  }
}

function tryLink(own: string, file: string): boolean {
  try {
    linkSync(own, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Takes a stale lock away, but not one that another process put there since it was read. */
function removeStale(file: string, owner: string | null): void {
  const aside = `${file}.stale.${process.pid}`
  try {
    renameSync(file, aside)
  } catch {
    return
  }
  if (readOwner(aside) !== owner) tryLink(aside, file)
  rmSync(aside, { force: true })
}

function readOwner(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return null
  }
}

function isAlive(owner: string): boolean {
  const pid = Number(owner.split(' ')[0])
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  // This process holds no lock on the directory (see `held`): its id is from an earlier life.
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const now = identity(pid).trim()
  // Without a start time on either side the id must do.
  return !owner.includes(' ') || !now.includes(' ') || now === owner
}

/** `PID STARTTIME` on Linux (field 22 of /proc/PID/stat), else `PID`. */
function identity(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field, the command in parentheses, may hold spaces.
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    return `${pid} ${started}\n`
  } catch {
    return `${pid}\n`
  }
}

function locked(directory: string, holder: string): BrokerStartError {
  return new BrokerStartError(
    'DATA_DIR_LOCKED',
    `${directory} is in use by ${holder}: close that broker first, or choose another directory`,
  )
}
