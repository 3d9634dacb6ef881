export { cooperativeStickyAssignor } from './assignors/cooperative-sticky.ts'
export { rangeAssignor } from './assignors/range.ts'
export type { Assignment, Assignor, GroupMember, RebalanceProtocol } from './assignors/assignor.ts'
export {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type Subscription,
} from './membership/consumer-protocol.ts'
