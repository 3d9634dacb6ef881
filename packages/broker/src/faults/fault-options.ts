import { ConfigError, ErrorCode } from '@millrace/protocol'
import type { AnyHandler } from '../core/handler.ts'
import { checkNames, checkText, checkWhole } from './checks.ts'
import type { Selector } from './error-shape.ts'

/** What happens to a request that a fault hits: exactly one of these. */
export type FaultAnswer =
  /** The chosen partitions, topics or groups get this error, by Kafka's name, and are not served; the others are. Late or throttled besides, when given. */
  | { readonly error: string; readonly delayMs?: number; readonly throttleTimeMs?: number }
  /** The request is served at once, its reply (if it has one) leaves so much later; requests behind it on the connection wait. */
  | { readonly delayMs: number; readonly throttleTimeMs?: number }
  /** The request is served, and the reply tells the client to send nothing for so long; what it sends all the same waits until then (KIP-219). */
  | { readonly throttleTimeMs: number }
  /** Not served, not answered, and neither is anything behind it on the connection, until the client closes it. */
  | 'never'
  /** The connection is cut: `before` the request is served, or `after` it was, so that only its reply is lost. */
  | { readonly cut: 'before' | 'after' }
  /** The request is served; the connection ends after so many bytes of the reply, of which the first 4 are its length. */
  | { readonly cutReplyAfterBytes: number }
  /**
   * The chosen partitions elect this node their leader anew, so that their leader epoch goes up by one, and are answered NOT_LEADER_OR_FOLLOWER. So are
   * Fetch and Produce requests that wait there. From then on requests with the old epoch are fenced (FENCED_LEADER_EPOCH). This broker is a cluster of
   * one: the node can only be itself.
   */
  | { readonly electLeader: number }

/** Which requests a fault hits, how often, and what happens to them. */
export interface FaultOptions {
  /** Kafka's name of an API that this broker serves: `Produce`. */
  readonly api: string
  /** Only requests for this topic, whether they name it or give its id. */
  readonly topic?: string
  /** Only requests for this partition (of `topic`, which must be given). */
  readonly partition?: number
  /** Only requests for this group. */
  readonly group?: string
  /** Only requests of clients with this `client.id`. */
  readonly clientId?: string
  /** Only requests to this node. */
  readonly node?: number
  /** So many requests are let pass first. Default 0. */
  readonly skip?: number
  /** So many are hit. Default 1; `Infinity` for all. */
  readonly times?: number
  readonly answer: FaultAnswer
}

/** The answer as it is carried out: one field for each thing that may happen. */
export interface FaultAction {
  readonly errorCode: number
  readonly delayMs: number
  /** -1: as the handler says. */
  readonly throttleTimeMs: number
  readonly cut: 'no' | 'before' | 'after' | 'never'
  /** -1: the whole reply. */
  readonly replyBytes: number
  readonly electsLeader: boolean
}

const NO_ACTION: FaultAction = { errorCode: 0, delayMs: 0, throttleTimeMs: -1, cut: 'no', replyBytes: -1, electsLeader: false }
const NAMES = new Set(['api', 'topic', 'partition', 'group', 'clientId', 'node', 'skip', 'times', 'answer'])
const ANSWERS = "'never', or one of { error, delayMs, throttleTimeMs }, { cut }, { cutReplyAfterBytes }, { electLeader }"
/** The APIs that only a partition's leader serves. */
const LEADER_APIS = new Set(['Produce', 'Fetch', 'ListOffsets', 'OffsetForLeaderEpoch', 'DeleteRecords'])

/** @throws ConfigError naming the first option that is wrong */
export function checkFault(options: FaultOptions, handlers: readonly AnyHandler[], nodeId: number): FaultAction {
  checkNames('fault', options, NAMES)
  const served = handlers.map(({ api }) => api.name)
  const handler = handlers.find(({ api }) => api.name === options.api)
  if (handler === undefined) throw new ConfigError('api', options.api, `an API that this broker serves: ${served.join(', ')}`)
  checkSelectors(options, handler)
  if (options.node !== undefined) checkNode('node', options.node, nodeId)
  if (options.skip !== undefined) checkWhole('skip', options.skip, 0)
  if (options.times !== undefined && options.times !== Infinity) checkWhole('times', options.times, 1)
  return checkAnswer(options, handler, nodeId)
}

function checkSelectors(options: FaultOptions, handler: AnyHandler): void {
  const { topic, partition, group, clientId } = options
  const allows = (selector: Selector, value: unknown): void => {
    const { selectors } = handler.errors
    if (value === undefined || selectors.includes(selector)) return
    const possible = selectors.length === 0 ? 'none of topic, partition and group' : `only ${selectors.join(', ')}`
    throw new ConfigError(selector, value, `${possible} with ${handler.api.name}`)
  }
  allows('topic', topic)
  allows('partition', partition)
  allows('group', group)
  checkText('topic', topic)
  checkText('clientId', clientId)
  if (group !== undefined && typeof group !== 'string') throw new ConfigError('group', group, 'a string')
  if (partition === undefined) return
  checkWhole('partition', partition, 0)
  if (topic === undefined) throw new ConfigError('topic', topic, 'the topic whose partition is chosen')
}

function checkAnswer({ answer }: FaultOptions, handler: AnyHandler, nodeId: number): FaultAction {
  if (answer === 'never') return { ...NO_ACTION, cut: 'never' }
  if (typeof answer !== 'object' || answer === null) throw new ConfigError('answer', answer, ANSWERS)
  const given = answer as Readonly<Record<string, unknown>>
  const names = Object.keys(given)
  const soft = names.filter((name) => name === 'error' || name === 'delayMs' || name === 'throttleTimeMs')
  if (names.length === 0 || (soft.length !== names.length && names.length > 1)) throw new ConfigError('answer', answer, ANSWERS)
  if (soft.length > 0) return checkReply(given)
  if ('cut' in given) {
    if (given['cut'] !== 'before' && given['cut'] !== 'after') throw new ConfigError('cut', given['cut'], "'before' or 'after'")
    return { ...NO_ACTION, cut: given['cut'] }
  }
  if ('cutReplyAfterBytes' in given)
    return { ...NO_ACTION, replyBytes: checkWhole('cutReplyAfterBytes', given['cutReplyAfterBytes'], 0) }
  if (!('electLeader' in given)) throw new ConfigError(names[0]!, given[names[0]!], ANSWERS)
  checkNode('electLeader', given['electLeader'], nodeId)
  if (!LEADER_APIS.has(handler.api.name)) {
    throw new ConfigError(
      'electLeader',
      given['electLeader'],
      `an API that partition leaders serve: ${[...LEADER_APIS].join(', ')}`,
    )
  }
  return { ...NO_ACTION, errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, electsLeader: true }
}

function checkReply(given: Readonly<Record<string, unknown>>): FaultAction {
  const { error, delayMs, throttleTimeMs } = given
  return {
    ...NO_ACTION,
    errorCode: 'error' in given ? errorCodeOf(error) : 0,
    delayMs: 'delayMs' in given ? checkWhole('delayMs', delayMs, 0) : 0,
    throttleTimeMs: 'throttleTimeMs' in given ? checkWhole('throttleTimeMs', throttleTimeMs, 0) : -1,
  }
}

function errorCodeOf(name: unknown): number {
  const codes: Readonly<Record<string, number>> = ErrorCode
  const code = typeof name === 'string' && Object.hasOwn(codes, name) ? codes[name]! : 0
  if (code === 0) throw new ConfigError('error', name, "Kafka's name for an error, like NOT_LEADER_OR_FOLLOWER")
  return code
}

function checkNode(option: string, value: unknown, nodeId: number): void {
  if (value !== nodeId) throw new ConfigError(option, value, `a node of this cluster, which is ${nodeId} alone`)
}
