import { ConfigError } from '@millrace/protocol'
import { aborted } from '@millrace/client/internal'

/** The caller's signal, or null. @throws {ConfigError} for what is none, {KafkaError} ABORTED when it has fired */
export function signalOf(signal: AbortSignal | undefined): AbortSignal | null {
  if (signal === undefined) return null
  if (!(signal instanceof AbortSignal)) throw new ConfigError('signal', signal, 'an AbortSignal')
  if (signal.aborted) throw aborted(signal)
  return signal
}

/** A promise that `start` resolves, now or later, unless the signal fires before. */
export function endedBy(maybe: AbortSignal | undefined, start: (resolve: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const signal = signalOf(maybe)
    if (signal === null) return start(resolve)
    const onAbort = (): void => {
      signal.removeEventListener('abort', onAbort)
      reject(aborted(signal))
    }
    signal.addEventListener('abort', onAbort)
    start(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
  })
}
