import { METRIC_SAMPLES, METRIC_WINDOW_MS } from './limits.ts'

interface Sample {
  startedAt: number
  sum: number
  count: number
  min: number
  max: number
}

/** What was recorded in about the last minute, and in all: Java's SampledStat with its defaults, two samples of 30 seconds. */
export class WindowedStat {
  #samples: Sample[] = []
  #total = 0
  #count = 0

  /** Of all that was ever recorded. */
  get total(): number {
    return this.#total
  }

  /** How often something was recorded. */
  get count(): number {
    return this.#count
  }

  record(value: number, now: number): void {
    this.#add(value, 1, value, value, now)
  }

  /** `count` values at once, by their sum and the greatest; NaN where nobody asks for that. Their least is not known. */
  recordMany(sum: number, count: number, max: number, now: number): void {
    this.#add(sum, count, Number.NaN, max, now)
  }

  /** Per second; the time counts as at least all samples but one, so that the first second is no burst (Java: Rate.windowSize). */
  rate(now: number): number {
    return this.#perSecond(this.sum(now), now)
  }

  /** As `rate`, of how often something was recorded. */
  countRate(now: number): number {
    return this.#perSecond(this.recentCount(now), now)
  }

  /** How often something was recorded lately. */
  recentCount(now: number): number {
    return this.#current(now).reduce((sum, { count }) => sum + count, 0)
  }

  /** What was recorded lately, added up. */
  sum(now: number): number {
    return sumOf(this.#current(now))
  }

  /** NaN while nothing was recorded, as in Java. */
  average(now: number): number {
    const count = this.recentCount(now)
    return count === 0 ? Number.NaN : this.sum(now) / count
  }

  /** NaN while nothing was recorded, as in Java. */
  min(now: number): number {
    const samples = this.#current(now)
    return samples.length === 0 ? Number.NaN : Math.min(...samples.map(({ min }) => min))
  }

  /** NaN while nothing was recorded, as in Java. */
  max(now: number): number {
    const samples = this.#current(now)
    return samples.length === 0 ? Number.NaN : Math.max(...samples.map(({ max }) => max))
  }

  #add(sum: number, count: number, min: number, max: number, now: number): void {
    this.#total += sum
    this.#count += count
    let sample = this.#samples.at(-1)
    if (sample === undefined || now - sample.startedAt >= METRIC_WINDOW_MS) {
      sample = { startedAt: now, sum: 0, count: 0, min: Infinity, max: -Infinity }
      this.#samples.push(sample)
      if (this.#samples.length > METRIC_SAMPLES) this.#samples.shift()
    }
    sample.sum += sum
    sample.count += count
    sample.min = Math.min(sample.min, min)
    sample.max = Math.max(sample.max, max)
  }

  #perSecond(sum: number, now: number): number {
    const samples = this.#current(now)
    if (samples.length === 0) return 0
    const elapsed = now - samples[0]!.startedAt
    const least = (METRIC_SAMPLES - 1) * METRIC_WINDOW_MS
    const windowMs = elapsed >= least ? elapsed : elapsed + least
    return (sum * 1000) / windowMs
  }

  #current(now: number): Sample[] {
    this.#samples = this.#samples.filter(({ startedAt }) => now - startedAt < METRIC_SAMPLES * METRIC_WINDOW_MS)
    return this.#samples
  }
}

function sumOf(samples: readonly Sample[]): number {
  return samples.reduce((total, { sum }) => total + sum, 0)
}
