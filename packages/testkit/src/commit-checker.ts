import { getOr, type Anomaly } from './anomaly.ts'
import { topicOf, type HistoryEvent, type Place } from './history.ts'

/**
 * What the coordinator wrote of a group's positions: none goes back, unless a member went back at its own wish; everything before one was handled by
 * a member of the group by then; and what members were told to be committed was written.
 */
export function checkCommits(events: readonly HistoryEvent[]): Anomaly[] {
  const check = new CommitCheck(events)
  for (const event of events) check.see(event)
  return check.found
}

interface Position {
  offset: number
  topicId: string
}

class CommitCheck {
  readonly found: Anomaly[] = []
  readonly #groupOf = new Map<string, string>()
  /** Topic id and partition → what is stored, by offset. */
  readonly #stored = new Map<string, { readonly value: string; readonly offset: number }[]>()
  /** Group and partition → values that were handled there. */
  readonly #handled = new Map<string, Set<string>>()
  /** Group, topic id and partition → how many of what is stored there, in order, are known to be handled. */
  readonly #covered = new Map<string, number>()
  readonly #positions = new Map<string, Position>()
  readonly #written = new Map<string, Set<number>>()
  /** Where members went back to; each is good for one step back. */
  readonly #sought = new Map<string, number[]>()
  /** Topics that were deleted, and perhaps made anew. */
  readonly #remade = new Set<string>()

  constructor(events: readonly HistoryEvent[]) {
    for (const event of events) {
      if (event.kind !== 'stored') continue
      const { topicId, value, place } = event
      getOr(this.#stored, `${topicId} ${place.partition}`, () => []).push({ value, offset: place.offset })
    }
    for (const list of this.#stored.values()) list.sort((left, right) => left.offset - right.offset)
  }

  see(event: HistoryEvent): void {
    if (event.kind === 'member') this.#groupOf.set(event.consumer, event.group)
    else if (event.kind === 'handled') this.#handledOf(event.consumer, event.place.partition).add(event.value)
    else if (event.kind === 'sought') this.#wished(event)
    else if (event.kind === 'deleted') this.#remade.add(event.topic)
    else if (event.kind === 'wrote') this.#wrote(event)
    else if (event.kind === 'forgot') this.#positions.delete(`${event.group} ${event.partition}`)
    else if (event.kind === 'committed') this.#told(event.group, event.place)
  }

  #wrote({ group, topicId, place }: HistoryEvent & { kind: 'wrote' }): void {
    const key = `${group} ${place.partition}`
    getOr(this.#written, key, () => new Set<number>()).add(place.offset)
    const before = this.#positions.get(key)
    this.#positions.set(key, { offset: place.offset, topicId })
    if (before !== undefined && before.topicId === topicId && before.offset > place.offset && !this.#isWished(key, place.offset))
      this.found.push({ kind: 'commit-back', message: `${group} committed ${show(place)} after offset ${before.offset}` })
    this.#checkSkip(group, topicId, place)
  }

  /** An offset of the topic that was may be beyond the end of the one in its place: then reading begins at the beginning. */
  #wished({ consumer, partition, offset }: HistoryEvent & { kind: 'sought' }): void {
    if (offset === null) return
    const wish = this.#remade.has(topicOf(partition)) ? 0 : offset
    getOr(this.#sought, `${this.#groupOf.get(consumer)!} ${partition}`, () => []).push(wish)
  }

  #isWished(key: string, offset: number): boolean {
    const sought = this.#sought.get(key) ?? []
    const index = sought.findIndex((wish) => wish <= offset)
    if (index >= 0) sought.splice(index, 1)
    return index >= 0
  }

  #checkSkip(group: string, topicId: string, place: Place): void {
    const stored = this.#stored.get(`${topicId} ${place.partition}`) ?? []
    const handled = this.#handled.get(`${group} ${place.partition}`)
    const key = `${group} ${topicId} ${place.partition}`
    const missed: number[] = []
    let index = this.#covered.get(key) ?? 0
    for (; index < stored.length && stored[index]!.offset < place.offset; index++) {
      const { value, offset } = stored[index]!
      if (handled?.has(value) !== true) missed.push(offset)
    }
    this.#covered.set(key, index)
    if (missed.length === 0) return
    const message = `${group} committed ${show(place)}; none of its members had handled ${missed.join(', ')}`
    this.found.push({ kind: 'commit-skip', message })
  }

  #told(group: string, place: Place): void {
    if (this.#written.get(`${group} ${place.partition}`)?.has(place.offset) === true) return
    const message = `${group} was told that ${show(place)} is committed, and the coordinator never wrote it`
    this.found.push({ kind: 'commit-lost', message })
  }

  #handledOf(consumer: string, partition: string): Set<string> {
    return getOr(this.#handled, `${this.#groupOf.get(consumer)!} ${partition}`, () => new Set<string>())
  }
}

function show(place: Place): string {
  return `${place.partition}@${place.offset}`
}
