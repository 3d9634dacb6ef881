import type { AnyHandler, RequestContext } from '../core/handler.ts'
import { Deferred } from '../core/deferred.ts'
import { NO_RESPONSE } from '../core/handler.ts'
import type { Timer } from '../core/clock.ts'
import type { Chosen, Target } from './error-shape.ts'
import type { CountedFault } from './fault.ts'
import type { OpenRequest, RequestJournal } from './request-journal.ts'

export interface Intercepted {
  readonly handler: AnyHandler
  readonly request: unknown
  readonly context: RequestContext
  readonly targets: () => readonly Target[]
  readonly fault: CountedFault | null
  readonly entry: OpenRequest | null
  readonly journal: RequestJournal
  /** Runs an action as a step of its own, later. */
  readonly after: (delayMs: number, action: () => void) => Timer
}

/** What `handle` returns for a request that is neither served nor ever answered. */
export const NEVER_ANSWERED: unique symbol = Symbol('never answered')

/** One request that a fault hits or that the journal records, from its handling to the bytes of its reply. */
export class Interception {
  readonly #parts: Intercepted
  readonly #forgetConnection: () => void
  #timer: Timer | null = null

  constructor(parts: Intercepted) {
    this.#parts = parts
    this.#forgetConnection = parts.context.connection.onClose(() => {
      this.#timer?.cancel()
      this.#settle('cut')
    })
  }

  /** In place of the handler's own `handle`. What it returns goes to `deliver` as bytes or, when there is no reply, to `unanswered`. */
  handle(): unknown {
    const { handler, request, context, fault } = this.#parts
    if (fault === null) return handler.handle(request, context)
    const { cut, errorCode, replyBytes, electsLeader } = fault.action
    if (cut === 'never') return NEVER_ANSWERED
    if (cut === 'before') return this.#cutConnection('the request is lost')
    if (electsLeader) this.#electLeader()
    const reply = errorCode === 0 ? handler.handle(request, context) : this.#handleWithErrors(fault, errorCode)
    if (reply !== NO_RESPONSE) return this.#late(this.#throttled(reply))
    // As Kafka does when a Produce with acks=0 fails: there is no other way to say so.
    if (errorCode !== 0 || cut === 'after' || replyBytes >= 0) return this.#cutConnection('there is no reply')
    return this.#late(NO_RESPONSE)
  }

  /** For how long the connection is to be silent once the request is done; 0: it need not. */
  get throttleTimeMs(): number {
    return Math.max(0, this.#parts.fault?.action.throttleTimeMs ?? 0)
  }

  /** There is no reply, and none is due. What closed the connection has settled it already. */
  unanswered(): void {
    this.#settle('no reply')
  }

  /** What goes out of the reply's bytes, and why the connection ends then, if it does. */
  deliver(chunks: readonly Buffer[]): { readonly chunks: readonly Buffer[]; readonly cut: string | null } {
    const action = this.#parts.fault?.action
    if (action?.cut === 'after') return { chunks: [], cut: this.#because('the reply is lost') }
    if (action !== undefined && action.replyBytes >= 0) {
      return { chunks: firstBytes(chunks, action.replyBytes), cut: this.#because('the reply is cut short') }
    }
    this.#settle('answered')
    return { chunks, cut: null }
  }

  #handleWithErrors(fault: CountedFault, errorCode: number): unknown {
    const { handler, request, context } = this.#parts
    const { errors } = handler
    const chosen: Chosen = (target) => fault.chooses(target)
    const rest: unknown = errors.rest(request, chosen, errorCode, context)
    const served: unknown = rest === null ? null : handler.handle(rest, context)
    if (served === NO_RESPONSE) return NO_RESPONSE
    return afterwards(served, (value) => {
      const response: unknown = errors.answer(value, request, chosen, errorCode, context)
      return fault.action.electsLeader ? (errors.nameLeaders?.(response, context) ?? response) : response
    })
  }

  #throttled(reply: unknown): unknown {
    const { throttleTimeMs } = this.#parts.fault!.action
    if (throttleTimeMs < 0) return reply
    return afterwards(reply, (value) => ({ ...(value as object), throttleTimeMs }))
  }

  #late(reply: unknown): unknown {
    const { delayMs } = this.#parts.fault!.action
    if (delayMs === 0) return reply
    const late = new Deferred<unknown>()
    afterwards(reply, (value) => {
      if (this.#parts.context.connection.isClosed) return
      this.#timer = this.#parts.after(delayMs, () => void late.complete(value))
    })
    return late
  }

  #electLeader(): void {
    const { context, fault, targets } = this.#parts
    const { controller, fetches } = context.broker
    const byTopic = new Map<string, number[]>()
    for (const target of targets()) {
      const { topic, partition } = target
      if (topic === null || partition === null || !fault!.chooses(target)) continue
      byTopic.set(topic, [...(byTopic.get(topic) ?? []), partition])
    }
    // Who waits for several of the partitions is told of all of them at once.
    fetches.parked.hold()
    try {
      for (const [topic, partitions] of byTopic) controller.electLeaders(topic, partitions, context.now)
    } finally {
      fetches.parked.release()
    }
  }

  #cutConnection(what: string): typeof NO_RESPONSE {
    this.#parts.context.connection.close(this.#because(what))
    return NO_RESPONSE
  }

  #because(what: string): string {
    return `fault ${this.#parts.fault!.id}: ${what}`
  }

  #settle(outcome: 'answered' | 'cut' | 'no reply'): void {
    this.#forgetConnection()
    const { entry, journal, context } = this.#parts
    if (entry === null) return
    journal.settle(entry, outcome, outcome === 'answered' ? context.broker.clock.now() : null)
  }
}

/** Applies `change` to a reply, now or when it is known. */
function afterwards(reply: unknown, change: (value: unknown) => unknown): unknown {
  if (!(reply instanceof Deferred)) return change(reply)
  const changed = new Deferred<unknown>()
  reply.onComplete((value) => void changed.complete(change(value)))
  return changed
}

function firstBytes(chunks: readonly Buffer[], count: number): Buffer[] {
  const first: Buffer[] = []
  let left = count
  for (const chunk of chunks) {
    if (left === 0) break
    first.push(chunk.subarray(0, left))
    left -= Math.min(left, chunk.length)
  }
  return first
}
