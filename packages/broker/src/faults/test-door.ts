import type { RequestHeader } from '@millrace/protocol/internal'
import type { Timer } from '../core/clock.ts'
import type { AnyHandler, RequestContext } from '../core/handler.ts'
import type { Target } from './error-shape.ts'
import { Faults } from './faults.ts'
import { Interception } from './interception.ts'
import { RequestJournal } from './request-journal.ts'

/** A request as the door is shown it. */
export interface ShownRequest {
  readonly handler: AnyHandler
  readonly header: RequestHeader
  readonly request: unknown
  readonly context: RequestContext
  /** When its bytes came; it may have waited since for those before it. */
  readonly arrival: number
}

export interface TestDoorDependencies {
  readonly handlers: readonly AnyHandler[]
  readonly nodeId: number
  /** Runs an action as a step of its own, later. */
  readonly after: (delayMs: number, action: () => void) => Timer
}

/** What tests may do to a broker: set faults and read the journal of its requests. */
export class TestDoor {
  readonly faults: Faults
  readonly requests: RequestJournal
  /** Whether requests have to be shown to it: the one thing that is asked when it is not in use. */
  isOpen = false
  readonly #after: TestDoorDependencies['after']

  constructor({ handlers, nodeId, after }: TestDoorDependencies) {
    const onChange = (): void => void (this.isOpen = this.faults.size > 0 || this.requests.isOn)
    this.faults = new Faults(handlers, nodeId, onChange)
    this.requests = new RequestJournal(
      handlers.map(({ api }) => api.name),
      onChange,
    )
    this.#after = after
  }

  /** Looks at a request before it is handled. null: it is nobody's business. */
  intercept({ handler, header, request, context, arrival }: ShownRequest): Interception | null {
    let known: readonly Target[] | null = null
    const targets = (): readonly Target[] => (known ??= handler.errors.targets(request, context))
    const { name: api } = handler.api
    const { clientId, correlationId, apiVersion: version } = header
    const fault = this.faults.find(api, clientId, targets)
    const { requests } = this
    if (fault === null && !requests.isOn) return null
    const about = { at: arrival, api, version, clientId, connection: context.connection.id, correlationId }
    const open = { ...about, fault: fault?.id ?? null, outcome: 'waiting', answeredAt: null } as const
    const entry = requests.isOn ? requests.record(open, targets()) : null
    return new Interception({ handler, request, context, targets, fault, entry, journal: requests, after: this.#after })
  }

  close(): void {
    this.faults.close()
    this.requests.close()
  }
}
