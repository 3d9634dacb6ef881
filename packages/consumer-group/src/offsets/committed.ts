/** What the coordinator has lies between these; they differ while it is not known whether a commit was made. -1 for nothing. */
interface Known {
  least: number
  most: number
}

/** What is known of a partition's committed offset, so that no commit that is made by itself takes the group back. */
export class Committed {
  /** Goes up when what is committed next may lie before what is committed now, as after a seek. */
  era = 0
  #known: Known = { least: -1, most: -1 }
  /** Of the era before: commits that were asked for in it may still wait for their turn. */
  #former: Known = { least: -1, most: -1 }

  /** What is committed next may lie before what is committed now. */
  forget(): void {
    this.era++
    this.#former = this.#known
    this.#known = { least: -1, most: -1 }
  }

  /** The committed offset that the position begins with, unless the application committed another one meanwhile. */
  found(offset: number): void {
    if (this.#known.most < 0) this.made(offset, this.era)
  }

  /** @param era that in which it was asked for */
  made(offset: number, era: number): void {
    const known = this.#of(era)
    if (known === null) return
    known.least = offset
    known.most = offset
  }

  /** It was sent, and nobody said what became of it. */
  perhapsMade(offset: number, era: number): void {
    const known = this.#of(era)
    if (known === null) return
    known.least = Math.min(known.least, offset)
    known.most = Math.max(known.most, offset)
  }

  /** Whether a commit of the offset may take the group back, for all that is known. */
  isInDoubt(offset: number, era: number): boolean {
    const known = this.#of(era)
    return known !== null && known.least !== known.most && offset < known.most
  }

  /** Whether a commit of the offset, of which there is no doubt, takes the group on. */
  isBehind(offset: number, era: number): boolean {
    const known = this.#of(era)
    return known !== null && offset > known.least
  }

  #of(era: number): Known | null {
    if (era === this.era) return this.#known
    return era === this.era - 1 ? this.#former : null
  }
}
