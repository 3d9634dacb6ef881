import { KafkaError } from '@millrace/protocol'
import type { TopicPartition } from '../topic-partition.ts'

/**
 * Told of changes of the assignment, and awaited (Java: ConsumerRebalanceListener). Heartbeats go on meanwhile, but the rebalance
 * waits: for at most `maxPollIntervalMs`, after which it goes on and the event `rebalanceListenerFailed` says so. What a listener throws comes as
 * the same event; the rebalance goes on, as its partitions have moved whatever the listener thinks of it.
 */
export interface RebalanceListener {
  /** These are ours from now on, beside those we kept; called before anything of them is fetched, so that one may seek. */
  assigned?(partitions: readonly TopicPartition[]): void | Promise<void>
  /** These are given up next. Nothing of them is handed out any more, what was handled is committed if `enableAutoCommit`; one may still commit. */
  revoked?(partitions: readonly TopicPartition[]): void | Promise<void>
  /** These are not ours any more: others may have them already, and commits of them are refused. */
  lost?(partitions: readonly TopicPartition[]): void | Promise<void>
}

export type RebalanceCall = keyof RebalanceListener

/** A `rebalanceListener` threw (`cause` is what), or did not end in time. */
export class RebalanceListenerError extends KafkaError {
  override readonly name: string = 'RebalanceListenerError'
  readonly call: RebalanceCall
  readonly partitions: readonly TopicPartition[]

  constructor(call: RebalanceCall, partitions: readonly TopicPartition[], what: string, cause?: unknown) {
    const names = partitions.map(({ topic, partition }) => `${topic}-${partition}`).join(', ')
    super('REBALANCE_LISTENER_FAILED', `rebalanceListener.${call} for ${names} ${what}`, { cause })
    this.call = call
    this.partitions = partitions
  }
}
