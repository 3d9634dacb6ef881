import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { messageOf } from '@millrace/protocol/internal'
import { randomUuid } from '../metadata/uuid.ts'
import { BrokerStartError } from './broker-start-error.ts'
import { DirectoryLock, isLockFile } from './directory-lock.ts'
import { formatMetaProperties, parseMetaProperties, type MetaProperties } from './meta-properties.ts'

const META_FILE = 'meta.properties'

/** What to do, by the code of the system's error. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'Give this user the right to write there, or choose another directory'],
  ['EPERM', 'Give this user the right to write there, or choose another directory'],
  ['EROFS', 'Choose a directory that can be written'],
  ['ENOSPC', 'Free some space there, or choose another directory'],
  ['ENOTDIR', 'Choose a directory, not a file'],
])

export interface ExpectedOwner {
  readonly nodeId: number
  /** Undefined: whatever the directory says, or a new one. */
  readonly clusterId: string | undefined
}

/** A data directory that this process holds: locked, and known to be ours. */
export class DataDirectory {
  readonly path: string
  readonly meta: MetaProperties
  readonly #lock: DirectoryLock

  private constructor(path: string, meta: MetaProperties, lock: DirectoryLock) {
    this.path = path
    this.meta = meta
    this.#lock = lock
  }

  /**
   * Creates the directory when absent, takes its lock and checks whose it is.
   * @throws BrokerStartError DATA_DIR_UNUSABLE, DATA_DIR_LOCKED, DATA_DIR_FOREIGN or DATA_DIR_CORRUPT
   */
  static open(directory: string, owner: ExpectedOwner): DataDirectory {
    const path = resolve(directory)
    attempt(path, 'create', () => makeDirectory(path))
    const names = attempt(path, 'read', () => readdirSync(path)).filter((name) => !isLockFile(name))
    if (names.length > 0 && !names.includes(META_FILE) && !names.every((name) => name === `${META_FILE}.tmp`)) {
      const message = `${path} is not empty and has no ${META_FILE}: it is not a broker's. Choose an empty or new directory`
      throw new BrokerStartError('DATA_DIR_FOREIGN', message)
    }
    const lock = attempt(path, 'lock', () => DirectoryLock.take(path))
    try {
      return new DataDirectory(path, names.includes(META_FILE) ? readMeta(path, owner) : writeMeta(path, owner), lock)
    } catch (error) {
      lock.release()
      throw error
    }
  }

  /** Gives the lock back. Safe to call twice. */
  release(): void {
    this.#lock.release()
  }
}

function readMeta(path: string, owner: ExpectedOwner): MetaProperties {
  const file = join(path, META_FILE)
  const meta = parseMetaProperties(attempt(path, 'read', () => readFileSync(file, 'utf8')))
  if (typeof meta === 'string') {
    throw new BrokerStartError('DATA_DIR_CORRUPT', `${file}: ${meta}. Restore the file, or choose another directory`)
  }
  if (meta.nodeId !== owner.nodeId) {
    const message = `${path} belongs to node ${meta.nodeId}; this broker is node ${owner.nodeId}. Choose that directory's nodeId or another directory`
    throw new BrokerStartError('DATA_DIR_FOREIGN', message)
  }
  if (owner.clusterId !== undefined && owner.clusterId !== meta.clusterId) {
    const message = `${path} belongs to cluster ${meta.clusterId}, not ${owner.clusterId}. Leave clusterId out or choose another directory`
    throw new BrokerStartError('DATA_DIR_FOREIGN', message)
  }
  return meta
}

function writeMeta(path: string, owner: ExpectedOwner): MetaProperties {
  const meta = {
    clusterId: owner.clusterId ?? randomUuid(Math.random),
    nodeId: owner.nodeId,
    directoryId: randomUuid(Math.random),
  }
  const file = join(path, META_FILE)
  attempt(path, 'write', () => {
    const descriptor = openSync(`${file}.tmp`, 'w')
    writeSync(descriptor, formatMetaProperties(meta))
    fsyncSync(descriptor)
    closeSync(descriptor)
    renameSync(`${file}.tmp`, file)
  })
  return meta
}

function attempt<T>(path: string, what: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (error instanceof BrokerStartError) throw error
    throw unusable(path, what, error)
  }
}

/** Not mkdir's `recursive`: on a file system that refuses (/proc) Node tries for ever. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return
  const parent = dirname(path)
  if (parent !== path) makeDirectory(parent)
  mkdirSync(path)
}

function unusable(path: string, what: string, error: unknown): BrokerStartError {
  const remedy = REMEDIES.get((error as NodeJS.ErrnoException).code ?? '') ?? 'Choose another directory'
  return new BrokerStartError(
    'DATA_DIR_UNUSABLE',
    `cannot ${what} the data directory ${path}: ${messageOf(error)}. ${remedy}`,
    error,
  )
}
