/** Sibling packages (streams, connect) will share the client of an Admin; until one does, nothing is needed here. */
export type { AdminOptions } from './admin.ts'
