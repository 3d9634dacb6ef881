import { getOr, type Anomaly } from './anomaly.ts'
import { topicOf, type HistoryEvent, type Owner } from './history.ts'

/**
 * Who has which partition. No partition may have two owners: in what the coordinator writes, at no time; in what members say of a generation (or epoch), in none;
 * and in real time only if the coordinator has put the earlier one out, who does not know it yet. Members have only what the coordinator gave them.
 */
export function checkOwnership(events: readonly HistoryEvent[]): Anomaly[] {
  const check = new OwnershipCheck()
  for (const event of events) check.see(event)
  return check.found
}

class OwnershipCheck {
  readonly found: Anomaly[] = []
  readonly #groupOf = new Map<string, string>()
  readonly #identityOf = new Map<string, string>()
  /** Identity → the last of its lives. */
  readonly #lastLife = new Map<string, string>()
  /** Group → its members, as the coordinator has written last. */
  readonly #members = new Map<string, readonly Owner[]>()
  /** Identity → generation → what the coordinator gave it then. */
  readonly #given = new Map<string, Map<number, Set<string>>>()
  /** Group, reign and generation → partition → who said to have it. */
  readonly #claimed = new Map<string, Map<string, string>>()
  /** Consumer → the generation in which it said last what it has. */
  readonly #lastClaim = new Map<string, number>()
  /** Group → how often it was empty: one that moves to the other protocol then begins with its first generation. */
  readonly #reigns = new Map<string, number>()
  /** Partition and group → who holds it now. */
  readonly #holders = new Map<string, Set<string>>()
  readonly #deleted = new Set<string>()

  see(event: HistoryEvent): void {
    switch (event.kind) {
      case 'member':
        this.#identityOf.set(event.consumer, event.identity)
        this.#lastLife.set(event.identity, event.consumer)
        return void this.#groupOf.set(event.consumer, event.group)
      case 'deleted':
        return void this.#deleted.add(event.topic)
      case 'owners':
        return this.#owners(event)
      case 'owns':
        return this.#owns(event)
      case 'assigned':
        return this.#assigned(event.consumer, event.partition)
      case 'released':
        return void this.#holdersOf(event.consumer, event.partition).delete(event.consumer)
      case 'crashed':
        for (const holders of this.#holders.values()) holders.delete(event.consumer)
    }
  }

  #owners({ group, members }: HistoryEvent & { kind: 'owners' }): void {
    this.#members.set(group, members)
    if (members.length === 0) this.#reigns.set(group, (this.#reigns.get(group) ?? 0) + 1)
    const owners = new Map<string, string>()
    for (const { memberId, identity, generation, partitions, partitionIds } of members) {
      const given = getOr(
        getOr(this.#given, identity, () => new Map<number, Set<string>>()),
        generation,
        () => new Set<string>(),
      )
      for (const partition of partitions) given.add(partition)
      for (const [index, id] of partitionIds.entries()) {
        const other = owners.get(id)
        owners.set(id, memberId)
        if (other === undefined) continue
        const message = `the coordinator of ${group} wrote that ${partitions[index]} belongs to ${other} and ${memberId}`
        this.found.push({ kind: 'two-owners', message })
      }
    }
  }

  #owns({ consumer, generation, partitions }: HistoryEvent & { kind: 'owns' }): void {
    const group = this.#groupOf.get(consumer)!
    this.#lastClaim.set(consumer, generation)
    const claimed = getOr(
      this.#claimed,
      `${group} ${this.#reigns.get(group) ?? 0} ${generation}`,
      () => new Map<string, string>(),
    )
    const given = this.#given.get(this.#identityOf.get(consumer)!)
    for (const partition of partitions) {
      if (this.#deleted.has(topicOf(partition))) continue
      const other = claimed.get(partition)
      claimed.set(partition, consumer)
      if (other !== undefined && !this.#isSame(other, consumer)) {
        const message = `${partition} belongs to ${other} and ${consumer} in generation ${generation} of ${group}`
        this.found.push({ kind: 'two-owners-in-generation', message })
      }
      const isGiven = [...(given ?? [])].some(([at, held]) => at <= generation && held.has(partition))
      if (isGiven) continue
      const message = `${consumer} has ${partition} in generation ${generation}, and the coordinator of ${group} never gave it that`
      this.found.push({ kind: 'not-assigned', message })
    }
  }

  #assigned(consumer: string, partition: string): void {
    const group = this.#groupOf.get(consumer)!
    const holders = this.#holdersOf(consumer, partition)
    for (const other of holders) {
      if (this.#isSame(other, consumer) || !this.#isMember(group, other) || this.#deleted.has(topicOf(partition))) continue
      const message = `${consumer} got ${partition} while ${other}, a member of ${group}, still had it`
      this.found.push({ kind: 'overlap', message })
    }
    holders.add(consumer)
  }

  /**
   * Whether it takes part. An earlier life of a static member does not any more; and a static member that does not join in time is not put out as others
   * are, but it is not waited for either (Kafka's GroupCoordinator.completeJoin): it is behind then.
   */
  #isMember(group: string, consumer: string): boolean {
    const identity = this.#identityOf.get(consumer)!
    if (this.#lastLife.get(identity) !== consumer) return false
    const member = this.#members.get(group)?.find((one) => one.identity === identity)
    if (member === undefined) return false
    return identity === consumer || (this.#lastClaim.get(consumer) ?? -1) >= member.generation
  }

  /** The later life of a static member puts out the earlier, and has what that had, in the same generation. */
  #isSame(one: string, other: string): boolean {
    return this.#identityOf.get(one) === this.#identityOf.get(other)
  }

  #holdersOf(consumer: string, partition: string): Set<string> {
    return getOr(this.#holders, `${this.#groupOf.get(consumer)!} ${partition}`, () => new Set<string>())
  }
}
