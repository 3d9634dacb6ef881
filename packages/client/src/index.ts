export type { ClientOptions } from './options.ts'
export { BootstrapError, ConnectionError, TimeoutError, type BootstrapAttempt } from './errors.ts'
export type { ConnectionCloseMessage, ConnectionOpenMessage, RequestEndMessage, RequestStartMessage } from './diagnostics.ts'
