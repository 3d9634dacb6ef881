/** MILLRACE_SEED=123 replays one run, MILLRACE_SEEDS=50 tries so many, MILLRACE_NIGHTLY=1 tries two thousand. */
export const replayed: string | undefined = process.env['MILLRACE_SEED']
const nightly: boolean = process.env['MILLRACE_NIGHTLY'] === '1'
const count = Number(process.env['MILLRACE_SEEDS'] ?? (nightly ? 2_000 : 200))

export const seeds: number[] = replayed === undefined ? Array.from({ length: count }, (_, seed) => seed + 1) : [Number(replayed)]

/** Gives back what `run` does; an error of it says how to replay it. */
export async function replayable<Result>(seed: number, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run()
  } catch (error) {
    throw new Error(`replay with MILLRACE_SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

/** How often each kind of trouble really happened in the runs so far. */
export class Tally {
  readonly #counts = new Map<string, number>()

  add(what: string, times = 1): void {
    this.#counts.set(what, this.of(what) + times)
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0
  }

  toString(): string {
    return [...this.#counts].map(([what, times]) => `${what}: ${times}`).join(', ')
  }
}
