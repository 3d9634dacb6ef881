import type { Endpoint, Environment, Transport, TransportHandler } from '../environment.ts'
import { systemClock } from './system-clock.ts'
import { TcpTransport } from './tcp-transport.ts'

/** The real world: TCP, the system's clock and `Math.random`. */
export const nodeEnvironment: Environment = {
  clock: systemClock,
  random: () => Math.random(),
  connect: (endpoint: Endpoint, handler: TransportHandler): Transport => new TcpTransport(endpoint, handler),
}
