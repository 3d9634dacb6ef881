export { cooperativeStickyAssignor } from './assignors/cooperative-sticky.ts'
export { rangeAssignor } from './assignors/range.ts'
export { roundRobinAssignor } from './assignors/round-robin.ts'
export { stickyAssignor } from './assignors/sticky.ts'
export type { Assignment } from './assignors/assignor.ts'
export {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type Subscription,
} from './membership/consumer-protocol.ts'
