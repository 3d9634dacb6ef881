import { decodeOffsetsRecord, type BrokerCore, type OffsetsRecord } from '@millrace/broker/internal'
import { decodeAssignment } from '@millrace/consumer-group/internal'
import { readBatches } from '@millrace/records/internal'
import { COORDINATOR_READ_BYTES } from './limits.ts'
import type { History, Owner } from './history.ts'

const OFFSETS_TOPIC = '__consumer_offsets'

interface Group {
  /** Of the classic protocol: all of the last generation. */
  classic: readonly Owner[]
  /** Of the protocol consumer, by member id: who it is. */
  readonly clients: Map<string, string>
  readonly progress: Map<string, Omit<Owner, 'identity' | 'memberId'>>
}

/** Reads along what the group coordinator writes, and puts it into the history: all that anybody was told of, before they are told. */
export class CoordinatorLog {
  readonly #history: History
  readonly #next = new Map<number, number>()
  readonly #groups = new Map<string, Group>()
  readonly #topicNames = new Map<string, string>()

  constructor(history: History) {
    this.#history = history
  }

  /** Takes down what has come since the last time. */
  read({ services }: BrokerCore): void {
    const topic = services.topics.byName(OFFSETS_TOPIC)
    if (topic === undefined) return
    for (const { index, log } of topic.partitions) {
      let offset = Math.max(this.#next.get(index) ?? 0, log.logStartOffset)
      if (offset >= log.highWatermark) continue
      for (const { name, id } of services.topics.all()) this.#topicNames.set(id, name)
      while (offset < log.highWatermark) {
        const { records, nextOffset } = log.read({ offset, maxBytes: COORDINATOR_READ_BYTES, minOneBatch: true })
        if (nextOffset <= offset) break
        // What one batch holds becomes true at once.
        for (const batch of readBatches(records)) {
          const decoded = [...batch].map(({ key, value }) => decodeOffsetsRecord(key!, value))
          this.#batch(decoded.filter((record) => record !== null))
        }
        offset = nextOffset
      }
      this.#next.set(index, offset)
    }
  }

  #batch(records: readonly OffsetsRecord[]): void {
    const changed = new Set<string>()
    for (const record of records) {
      if (record.type === 'offset') this.#offset(record)
      else if (this.#apply(record)) changed.add(record.group)
    }
    for (const id of changed) {
      const { classic, clients, progress } = this.#group(id)
      const members = [...progress].map(([memberId, one]) => ({ ...one, memberId, identity: clients.get(memberId) ?? '' }))
      this.#history.add('owners', { group: id, members: [...classic, ...members] })
    }
  }

  #offset({ group, topic, partition, value }: OffsetsRecord & { type: 'offset' }): void {
    const name = `${topic}-${partition}`
    if (value === null) this.#history.add('forgot', { group, partition: name })
    else this.#history.add('wrote', { group, topicId: value.topicId, place: { partition: name, offset: value.offset } })
  }

  /** Whether it says anything of who has what. */
  #apply(record: Exclude<OffsetsRecord, { type: 'offset' }>): boolean {
    const group = this.#group(record.group)
    if (record.type === 'group') {
      group.classic = (record.value?.members ?? []).map(({ id, instanceId, clientId, assignment }) => {
        const partitions = decodeAssignment(assignment).map(nameOf)
        const { generation } = record.value!
        return { memberId: id, identity: instanceId ?? clientId, generation, partitions, partitionIds: partitions }
      })
      return true
    }
    if (record.type === 'member') {
      if (record.value === null) group.clients.delete(record.member)
      else group.clients.set(record.member, record.value.instanceId ?? record.value.clientId)
      return true
    }
    if (record.type !== 'progress') return false
    if (record.value === null) group.progress.delete(record.member)
    else {
      const { epoch, assigned, revoking } = record.value
      const listed = [...assigned, ...revoking].flatMap(([id, held]) => [...held.keys()].map((partition) => ({ id, partition })))
      const partitions = listed.map(({ id, partition }) => nameOf({ topic: this.#topicNames.get(id) ?? id, partition }))
      const partitionIds = listed.map(({ id, partition }) => nameOf({ topic: id, partition }))
      group.progress.set(record.member, { generation: epoch, partitions, partitionIds })
    }
    return true
  }

  #group(id: string): Group {
    let group = this.#groups.get(id)
    if (group === undefined) this.#groups.set(id, (group = { classic: [], clients: new Map(), progress: new Map() }))
    return group
  }
}

function nameOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}-${partition}`
}
