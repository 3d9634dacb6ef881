import { ConfigError, KafkaError } from '@millrace/protocol'
import { JOURNAL_BYTES_MAX, JOURNAL_REQUESTS_MAX } from '../limits.ts'
import { checkNames, checkText, checkWait, checkWhole, type WaitOptions } from './checks.ts'
import type { Target } from './error-shape.ts'
import { Waiters } from './waiters.ts'

/**
 * What became of a request: `waiting` (not answered yet), `answered`, `no reply` (Produce with acks=0), `cut` (the connection ended
 * before or within the reply: a fault, the client, or a defect).
 */
export type RequestOutcome = 'waiting' | 'answered' | 'no reply' | 'cut'

/** One request that this broker read. */
export interface RecordedRequest {
  /** When it came, in milliseconds since 1970: before it was its turn, if others on its connection had to be answered first. */
  readonly at: number
  readonly api: string
  readonly version: number
  readonly clientId: string | null
  /** Which connection it came on: a number that no other connection of this broker gets. */
  readonly connection: number
  readonly correlationId: number
  /** By name, also when the request gave ids; those that this broker does not know are left out. */
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[]
  readonly groups: readonly string[]
  /** The id of the fault that hit it. */
  readonly fault: number | null
  readonly outcome: RequestOutcome
  /** When its reply was sent; null when it was not. */
  readonly answeredAt: number | null
}

/** Which requests are meant: those that have all that is given here. */
export interface RequestFilter {
  readonly api?: string
  readonly topic?: string
  readonly partition?: number
  readonly group?: string
  readonly clientId?: string
  readonly connection?: number
  readonly fault?: number
  readonly outcome?: RequestOutcome
}

/** @internal As long as it is being answered. */
export interface OpenRequest extends RecordedRequest {
  outcome: RequestOutcome
  answeredAt: number | null
}

const FILTERS: ReadonlySet<string> = new Set([
  'api',
  'topic',
  'partition',
  'group',
  'clientId',
  'connection',
  'fault',
  'outcome',
] satisfies (keyof RequestFilter)[])
const OUTCOMES: readonly RequestOutcome[] = ['waiting', 'answered', 'no reply', 'cut']

/** What an entry takes besides what it names. */
const ENTRY_BYTES = 400
const NAME_BYTES = 64
const PARTITION_BYTES = 8

/**
 * The journal of the requests that a broker handled: off until `start`, and then the last 10 000, or fewer when they name so many topics and
 * partitions that they would take more than some 64 MiB. A request that waits for those before it on its connection is not in it yet.
 */
export class RequestJournal {
  readonly #apis: ReadonlySet<string>
  readonly #onChange: () => void
  readonly #waiters = new Waiters<RecordedRequest>()
  /** Those before `#first` are forgotten. */
  #requests: (OpenRequest | null)[] = []
  #first = 0
  #bytes = 0
  #dropped = 0
  #isOn = false
  /** What `notify` is about. */
  #changed: OpenRequest | null = null

  /** @internal `apis` are those that the broker serves. */
  constructor(apis: readonly string[], onChange: () => void) {
    this.#apis = new Set(apis)
    this.#onChange = onChange
  }

  get isOn(): boolean {
    return this.#isOn
  }

  /** Requests that were forgotten because newer ones came. */
  get dropped(): number {
    return this.#dropped
  }

  /** Records from now on. */
  start(): void {
    this.#isOn = true
    this.#onChange()
  }

  /** Records no more; what was recorded stays. */
  stop(): void {
    this.#isOn = false
    this.#onChange()
  }

  /** Forgets what was recorded. */
  clear(): void {
    this.#requests = []
    this.#first = 0
    this.#bytes = 0
    this.#dropped = 0
  }

  /**
   * The requests in the order in which they were read. The objects are the journal's own: their outcome changes when they are answered.
   * @throws ConfigError for a filter that does not exist or can fit nothing
   */
  list(filter: RequestFilter = {}): RecordedRequest[] {
    this.#check(filter)
    return this.#requests.filter((one) => one !== null && fits(one, filter)) as OpenRequest[]
  }

  /**
   * The first request that fits, recorded already or to come. With `outcome: 'answered'`, once it is.
   * @throws ConfigError for a filter that does not exist or can fit nothing, and for options that do not exist; KafkaError `JOURNAL_OFF` when nothing is being recorded
   */
  waitFor(filter: RequestFilter = {}, options: WaitOptions = {}): Promise<RecordedRequest> {
    this.#check(filter)
    checkWait(options)
    if (!this.#isOn) throw new KafkaError('JOURNAL_OFF', 'no request is recorded: call requests.start() first')
    let [found] = this.list(filter)
    const look = (): RecordedRequest | undefined => {
      if (found === undefined && this.#changed !== null && fits(this.#changed, filter)) found = this.#changed
      return found
    }
    return this.#waiters.wait(look, options.signal)
  }

  /** @internal */
  record(request: Omit<OpenRequest, 'topics' | 'groups'>, targets: readonly Target[]): OpenRequest {
    const entry: OpenRequest = { ...request, ...summary(targets) }
    this.#requests.push(entry)
    this.#bytes += bytesOf(entry)
    while (this.#isFull()) this.#forgetOldest()
    this.#tell(entry)
    return entry
  }

  /** @internal */
  settle(entry: OpenRequest, outcome: RequestOutcome, answeredAt: number | null): void {
    if (entry.outcome !== 'waiting') return
    entry.outcome = outcome
    entry.answeredAt = answeredAt
    this.#tell(entry)
  }

  /** The newest one stays, however large. */
  #isFull(): boolean {
    const count = this.#requests.length - this.#first
    return count > JOURNAL_REQUESTS_MAX || (this.#bytes > JOURNAL_BYTES_MAX && count > 1)
  }

  #forgetOldest(): void {
    this.#bytes -= bytesOf(this.#requests[this.#first]!)
    this.#requests[this.#first++] = null
    this.#dropped++
    if (this.#first < JOURNAL_REQUESTS_MAX) return
    this.#requests = this.#requests.slice(this.#first)
    this.#first = 0
  }

  #check(filter: RequestFilter): void {
    checkNames('filter', filter, FILTERS)
    const { api, topic, partition, group, clientId, connection, fault, outcome } = filter
    if (api !== undefined && !this.#apis.has(api)) {
      throw new ConfigError('api', api, `an API that this broker serves: ${[...this.#apis].join(', ')}`)
    }
    checkText('topic', topic)
    checkText('clientId', clientId)
    if (group !== undefined && typeof group !== 'string') throw new ConfigError('group', group, 'a string')
    if (partition !== undefined) checkWhole('partition', partition, 0)
    if (connection !== undefined) checkWhole('connection', connection, 1)
    if (fault !== undefined) checkWhole('fault', fault, 1)
    if (outcome !== undefined && !OUTCOMES.includes(outcome)) {
      throw new ConfigError('outcome', outcome, OUTCOMES.map((one) => `'${one}'`).join(', '))
    }
  }

  #tell(entry: OpenRequest): void {
    this.#changed = entry
    this.#waiters.notify()
    this.#changed = null
  }

  /** @internal */
  close(): void {
    this.#waiters.end('BROKER_CLOSED', 'the broker closed before such a request came')
  }
}

function summary(targets: readonly Target[]): Pick<RecordedRequest, 'topics' | 'groups'> {
  const topics = new Map<string, number[]>()
  const groups = new Set<string>()
  for (const { topic, partition, group } of targets) {
    if (group !== null) groups.add(group)
    if (topic === null) continue
    const partitions = topics.get(topic) ?? []
    if (partition !== null) partitions.push(partition)
    topics.set(topic, partitions)
  }
  return { topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })), groups: [...groups] }
}

/** Roughly what it takes in memory. */
function bytesOf({ clientId, topics, groups }: OpenRequest): number {
  let bytes = ENTRY_BYTES + 2 * (clientId?.length ?? 0)
  for (const group of groups) bytes += NAME_BYTES + 2 * group.length
  for (const { topic, partitions } of topics) bytes += NAME_BYTES + 2 * topic.length + PARTITION_BYTES * partitions.length
  return bytes
}

function fits(request: RecordedRequest, filter: RequestFilter): boolean {
  const { api, topic, partition, group, clientId, connection, fault, outcome } = filter
  if (api !== undefined && api !== request.api) return false
  if (clientId !== undefined && clientId !== request.clientId) return false
  if (connection !== undefined && connection !== request.connection) return false
  if (fault !== undefined && fault !== request.fault) return false
  if (outcome !== undefined && outcome !== request.outcome) return false
  if (group !== undefined && !request.groups.includes(group)) return false
  if (topic === undefined && partition === undefined) return true
  return request.topics.some(
    (one) => (topic === undefined || topic === one.topic) && (partition === undefined || one.partitions.includes(partition)),
  )
}
