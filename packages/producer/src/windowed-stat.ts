import { METRIC_SAMPLES, METRIC_WINDOW_MS } from './limits.ts'

interface Sample {
  startedAt: number
  sum: number
  count: number
  max: number
}

/** What was recorded in about the last minute, and in all: Java's SampledStat with its defaults, two samples of 30 seconds. */
export class WindowedStat {
  #samples: Sample[] = []
  #total = 0

  /** Since the producer began. */
  get total(): number {
    return this.#total
  }

  record(value: number, now: number): void {
    this.recordMany(value, 1, value, now)
  }

  /** `count` values at once, by their sum and the greatest; NaN where nobody asks for that. */
  recordMany(sum: number, count: number, max: number, now: number): void {
    this.#total += sum
    let sample = this.#samples.at(-1)
    if (sample === undefined || now - sample.startedAt >= METRIC_WINDOW_MS) {
      sample = { startedAt: now, sum: 0, count: 0, max: -Infinity }
      this.#samples.push(sample)
      if (this.#samples.length > METRIC_SAMPLES) this.#samples.shift()
    }
    sample.sum += sum
    sample.count += count
    sample.max = Math.max(sample.max, max)
  }

  /** Per second; the time counts as at least all samples but one, so that the first second is no burst (Java: Rate.windowSize). */
  rate(now: number): number {
    const samples = this.#current(now)
    if (samples.length === 0) return 0
    const elapsed = now - samples[0]!.startedAt
    const least = (METRIC_SAMPLES - 1) * METRIC_WINDOW_MS
    const windowMs = elapsed >= least ? elapsed : elapsed + least
    return (sumOf(samples) * 1000) / windowMs
  }

  /** NaN while nothing was recorded, as in Java. */
  average(now: number): number {
    const samples = this.#current(now)
    const count = samples.reduce((sum, sample) => sum + sample.count, 0)
    return count === 0 ? Number.NaN : sumOf(samples) / count
  }

  /** NaN while nothing was recorded, as in Java. */
  max(now: number): number {
    const samples = this.#current(now)
    return samples.length === 0 ? Number.NaN : Math.max(...samples.map(({ max }) => max))
  }

  #current(now: number): Sample[] {
    this.#samples = this.#samples.filter(({ startedAt }) => now - startedAt < METRIC_SAMPLES * METRIC_WINDOW_MS)
    return this.#samples
  }
}

function sumOf(samples: readonly Sample[]): number {
  return samples.reduce((total, { sum }) => total + sum, 0)
}
