import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { randomUuid } from '../metadata/uuid.ts'
import { BrokerStartError } from './broker-start-error.ts'
import { formatMetaProperties, parseMetaProperties, type MetaProperties } from './meta-properties.ts'

const META_FILE = 'meta.properties'
const LOCK_FILE = '.lock'
/** A lock may go stale and be taken by another between two looks; more rounds than this mean that others fight for it. */
const LOCK_ATTEMPTS_MAX = 5

export interface ExpectedOwner {
  readonly nodeId: number
  /** Undefined: whatever the directory says, or a new one. */
  readonly clusterId: string | undefined
}

/** A data directory that this process holds: locked, and known to be ours. */
export class DataDirectory {
  readonly path: string
  readonly meta: MetaProperties
  #released = false

  private constructor(path: string, meta: MetaProperties) {
    this.path = path
    this.meta = meta
  }

  /**
   * Creates the directory when absent, takes its lock and checks whose it is.
   * @throws BrokerStartError DATA_DIR_UNUSABLE, DATA_DIR_LOCKED, DATA_DIR_FOREIGN or DATA_DIR_CORRUPT
   */
  static open(directory: string, owner: ExpectedOwner): DataDirectory {
    const path = resolve(directory)
    attempt(path, 'create', () => mkdirSync(path, { recursive: true }))
    const names = attempt(path, 'read', () => readdirSync(path)).filter(
      (name) => name !== LOCK_FILE && !name.startsWith(`${LOCK_FILE}.`),
    )
    if (names.length > 0 && !names.includes(META_FILE) && !names.every((name) => name === `${META_FILE}.tmp`)) {
      const message = `${path} is not empty and has no ${META_FILE}: it is not a broker's. Choose an empty or new directory`
      throw new BrokerStartError('DATA_DIR_FOREIGN', message)
    }
    lock(path)
    try {
      return new DataDirectory(path, names.includes(META_FILE) ? readMeta(path, owner) : writeMeta(path, owner))
    } catch (error) {
      rmSync(join(path, LOCK_FILE), { force: true })
      throw error
    }
  }

  /** Gives the lock back. Safe to call twice. */
  release(): void {
    if (this.#released) return
    this.#released = true
    rmSync(join(this.path, LOCK_FILE), { force: true })
  }
}

function readMeta(path: string, owner: ExpectedOwner): MetaProperties {
  const file = join(path, META_FILE)
  const meta = parseMetaProperties(attempt(path, 'read', () => readFileSync(file, 'utf8')))
  if (typeof meta === 'string') throw new BrokerStartError('DATA_DIR_CORRUPT', `${file}: ${meta}`)
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

/**
 * One process per directory. The lock file holds the owner's process id; one whose process is gone (kill -9) is stale. The file
 * appears with its content in one step (a link to a file of our own), so that nobody reads a lock without an owner.
 */
function lock(path: string): void {
  const file = join(path, LOCK_FILE)
  const own = `${file}.${process.pid}`
  attempt(path, 'write', () => writeFileSync(own, `${process.pid}\n`))
  try {
    for (let round = 0; round < LOCK_ATTEMPTS_MAX; round++) {
      try {
        linkSync(own, file)
        return
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(path, 'lock', error)
      }
      const holder = lockHolder(file)
      if (holder !== null && (holder === process.pid || isAlive(holder))) throw locked(path, holder)
      rmSync(file, { force: true })
    }
    throw locked(path, lockHolder(file))
  } finally {
    rmSync(own, { force: true })
  }
}

function locked(path: string, holder: number | null): BrokerStartError {
  const who = holder === process.pid ? 'this process already' : `process ${holder ?? 'unknown'}`
  return new BrokerStartError(
    'DATA_DIR_LOCKED',
    `${path} is in use by ${who}: close that broker first, or choose another directory`,
  )
}

function lockHolder(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim())
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null
  } catch {
    return null
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function attempt<T>(path: string, what: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw unusable(path, what, error)
  }
}

function unusable(path: string, what: string, error: unknown): BrokerStartError {
  const why = error instanceof Error ? error.message : String(error)
  return new BrokerStartError('DATA_DIR_UNUSABLE', `cannot ${what} the data directory ${path}: ${why}`, error)
}
