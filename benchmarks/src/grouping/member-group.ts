import { setTimeout as sleep } from 'node:timers/promises'
import { Consumer } from '@millrace/consumer-group'
import type { Change, Formed, GroupProtocol, GroupSettings } from './commands.ts'
import { Watch } from './watch.ts'

/** The members of a group of ours, all in this process. */
export class MemberGroup {
  readonly #settings: GroupSettings
  readonly #members: Member[] = []
  #watch: Watch
  #group = ''
  #protocol: GroupProtocol = 'range'
  #awaited: () => boolean = () => false
  #done: () => void = noop

  constructor(settings: GroupSettings) {
    this.#settings = settings
    this.#watch = new Watch(settings.partitions, settings.members)
  }

  async form(group: string, protocol: GroupProtocol): Promise<Formed> {
    this.#group = group
    this.#protocol = protocol
    this.#watch = new Watch(this.#settings.partitions, this.#settings.members)
    const startedAt = performance.now()
    for (let index = 0; index < this.#settings.members; index++) this.#add(index).run()
    const settleMs = (await this.#settled()) - startedAt
    await this.#flowing()
    return { settleMs }
  }

  async rest(ms: number): Promise<Change> {
    this.#watch.begin()
    await sleep(ms)
    return this.#watch.report(0, performance.now())
  }

  async leave(): Promise<Change> {
    const member = this.#members.pop()!
    this.#watch.begin()
    const startedAt = performance.now()
    this.#watch.leaves(this.#members.length)
    const closed = member.close()
    const settledAt = await this.#settled()
    await closed
    await this.#flowing()
    return this.#watch.report(settledAt - startedAt, performance.now())
  }

  async join(): Promise<Change> {
    this.#watch.begin()
    const member = this.#add(this.#members.length)
    const startedAt = performance.now()
    member.run()
    const settledAt = await this.#settled()
    await this.#flowing()
    return this.#watch.report(settledAt - startedAt, performance.now())
  }

  async disband(): Promise<void> {
    await Promise.all(this.#members.splice(0).map((member) => member.close()))
  }

  #add(index: number): Member {
    const watch = this.#watch
    watch.joins(index)
    const member = new Member(index, this.#settings, this.#group, this.#protocol, watch, () => {
      if (this.#awaited()) this.#done()
    })
    this.#members.push(member)
    return member
  }

  async #settled(): Promise<number> {
    await this.#until('settle', () => this.#watch.isSettled)
    this.#watch.settled()
    return performance.now()
  }

  #flowing(): Promise<void> {
    return this.#until('get records of all partitions', () => this.#watch.isFlowing)
  }

  async #until(what: string, condition: () => boolean): Promise<void> {
    const { limitMs } = this.#settings
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(() => reject(new Error(`${this.#group} did not ${what} within ${limitMs} ms`)), limitMs)
    this.#awaited = condition
    this.#done = resolve
    await promise
    clearTimeout(timer)
    this.#awaited = () => false
  }
}

class Member {
  readonly #consumer: Consumer
  readonly #index: number
  readonly #watch: Watch
  readonly #onChange: () => void
  #loop: Promise<void> = Promise.resolve()

  constructor(
    index: number,
    settings: GroupSettings,
    groupId: string,
    protocol: GroupProtocol,
    watch: Watch,
    onChange: () => void,
  ) {
    this.#index = index
    this.#watch = watch
    this.#onChange = onChange
    const { bootstrapServers, topic, heartbeatIntervalMs } = settings
    const membership =
      protocol === 'consumer'
        ? ({ groupProtocol: 'consumer' } as const)
        : ({ partitionAssignors: [protocol], heartbeatIntervalMs } as const)
    this.#consumer = new Consumer({ bootstrapServers, groupId, topics: [topic], autoOffsetReset: 'latest', ...membership })
    this.#consumer.on('assigned', ({ partitions }) => {
      watch.assigned(index, partitions.map(indexOf))
      onChange()
    })
    this.#consumer.on('revoked', ({ partitions }) => watch.revoked(index, partitions.map(indexOf)))
    this.#consumer.on('lost', ({ partitions }) => watch.revoked(index, partitions.map(indexOf)))
  }

  /** What ends the loop, other than `close`, ends the process. */
  run(): void {
    this.#loop = this.#consume()
    this.#loop.catch((error: unknown) => {
      console.error(error)
      process.exit(1)
    })
  }

  async close(): Promise<void> {
    this.#consumer.stop()
    await this.#consumer.close()
    await this.#loop
  }

  async #consume(): Promise<void> {
    for await (const { partition } of this.#consumer.batches()) {
      this.#watch.delivered(this.#index, partition, performance.now())
      this.#onChange()
    }
  }
}

function indexOf({ partition }: { readonly partition: number }): number {
  return partition
}

function noop(): void {}
