import { afterAll, beforeAll, describe } from 'vitest'
import type { Provider, RunningBroker, StartOptions } from './providers/provider.ts'

/** The broker of the surrounding suite; `bootstrapServers` may be read once a test or hook runs. */
export interface SuiteBroker {
  readonly bootstrapServers: string
  /** See `RunningBroker.restart`. @throws Error where the provider cannot */
  restart(how: 'stop' | 'kill'): Promise<void>
}

/**
 * A suite with a broker of its own. Where something that it needs is missing, each of its tests is reported as skipped, under
 * a title that says what is missing.
 * @param needs checks that give the reason why something is missing, or undefined
 */
export async function describeOn(
  title: string,
  provider: Provider,
  needs: readonly (() => Promise<string | undefined>)[],
  define: (broker: SuiteBroker) => void,
  options: StartOptions = {},
): Promise<void> {
  const reasons = await Promise.all([provider.available(), ...needs.map((check) => check())])
  const reason = reasons.find((one) => one !== undefined)
  // oxlint-disable-next-line vitest/no-conditional-tests -- what is missing on this machine is reported by name
  if (reason !== undefined) {
    const unused: SuiteBroker = { bootstrapServers: 'none: the suite is skipped', restart: async () => {} }
    // oxlint-disable-next-line vitest/no-disabled-tests -- as above
    describe.skip(`${title} (skipped: ${reason})`, () => {
      define(unused)
    })
    return
  }
  describe(`${title} on ${provider.name}`, () => {
    let running: RunningBroker | undefined
    beforeAll(async () => {
      running = await provider.start(options)
    })
    afterAll(async () => {
      await running?.stop()
    })
    const broker = (): RunningBroker => {
      if (running === undefined) throw new Error('the broker of the suite is not running')
      return running
    }
    define({
      get bootstrapServers() {
        return broker().bootstrapServers
      },
      restart: async (how) => {
        const { restart } = broker()
        if (restart === undefined) throw new Error(`${provider.name} cannot be restarted`)
        await restart(how)
      },
    })
  })
}

let names = 0

/** A name that no other test, run or process uses, so that suites can share a cluster. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${process.pid}-${Date.now().toString(36)}-${names++}`
}
