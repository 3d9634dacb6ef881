import type { AnyHandler } from './handler.ts'

/** One line of the ApiVersions reply: an API that this broker serves, with the versions that its handler serves. */
export interface ServedApi {
  readonly apiKey: number
  readonly name: string
  readonly minVersion: number
  readonly maxVersion: number
}

/** The handlers by API key. ApiVersions is answered from it, so that the broker cannot advertise what nothing serves. */
export class ApiRouter {
  readonly #handlers: (AnyHandler | undefined)[] = []
  readonly served: readonly ServedApi[]

  constructor(handlers: readonly AnyHandler[]) {
    for (const handler of handlers) {
      const { api, minVersion, maxVersion } = handler
      if (this.#handlers[api.key] !== undefined) throw new Error(`two handlers for ${api.name}`)
      if (minVersion < api.minVersion || maxVersion > api.maxVersion || minVersion > maxVersion) {
        throw new Error(`${api.name}: v${minVersion}-${maxVersion} is not within v${api.minVersion}-${api.maxVersion}`)
      }
      this.#handlers[api.key] = handler
    }
    this.served = this.#handlers
      .filter((handler) => handler !== undefined)
      .map(({ api, minVersion, maxVersion }) => ({ apiKey: api.key, name: api.name, minVersion, maxVersion }))
  }

  /** The handler for an API whatever the version; `undefined` when the API is not served. */
  find(apiKey: number): AnyHandler | undefined {
    return this.#handlers[apiKey]
  }
}
