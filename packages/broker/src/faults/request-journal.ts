import { ConfigError, KafkaError } from '@millrace/protocol'
import { JOURNAL_REQUESTS_MAX } from '../limits.ts'
import type { Target } from './error-shape.ts'
import { Waiters } from './waiters.ts'

/**
 * What became of a request: `waiting` (not answered yet), `answered`, `no reply` (Produce with acks=0), `cut` (the connection ended
 * before or within the reply: a fault, the client, or a defect).
 */
export type RequestOutcome = 'waiting' | 'answered' | 'no reply' | 'cut'

/** One request that this broker read. */
export interface RecordedRequest {
  /** When it was read, in milliseconds since 1970. */
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

const FILTERS = new Set(['api', 'topic', 'partition', 'group', 'clientId', 'connection', 'fault', 'outcome'])

/** The journal of the requests that a broker read: off until `start`, and then the last 10 000. */
export class RequestJournal {
  readonly #onChange: () => void
  readonly #waiters = new Waiters<RecordedRequest>()
  #requests: OpenRequest[] = []
  #next = 0
  #dropped = 0
  #isOn = false
  /** What `notify` is about. */
  #changed: OpenRequest | null = null

  /** @internal */
  constructor(onChange: () => void) {
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
    this.#next = 0
    this.#dropped = 0
  }

  /**
   * The requests in the order in which they were read. The objects are the journal's own: their outcome changes when they are answered.
   * @throws ConfigError for a filter that does not exist
   */
  list(filter: RequestFilter = {}): RecordedRequest[] {
    checkFilter(filter)
    return [...this.#requests.slice(this.#next), ...this.#requests.slice(0, this.#next)].filter((one) => fits(one, filter))
  }

  /**
   * The first request that fits, recorded already or to come. With `outcome: 'answered'`, once it is.
   * @throws ConfigError for a filter that does not exist; KafkaError `JOURNAL_OFF` when nothing is being recorded
   */
  waitFor(filter: RequestFilter = {}, options: { readonly signal?: AbortSignal } = {}): Promise<RecordedRequest> {
    checkFilter(filter)
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
    if (this.#requests.length < JOURNAL_REQUESTS_MAX) {
      this.#requests.push(entry)
    } else {
      this.#requests[this.#next] = entry
      this.#next = (this.#next + 1) % JOURNAL_REQUESTS_MAX
      this.#dropped++
    }
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

function checkFilter(filter: RequestFilter): void {
  for (const name of Object.keys(filter)) {
    if (!FILTERS.has(name)) throw new ConfigError(name, (filter as never)[name], `one of ${[...FILTERS].join(', ')}`)
  }
}
