import { ClassicMembersOfConsumerGroups } from './classic-members.ts'
import { ConsumerMembership } from './consumer-membership.ts'
import { Conversion } from './conversion.ts'
import type { GroupServices } from './group-services.ts'
import { GroupSteps } from './group-steps.ts'
import { MemberTimers } from './member-timers.ts'
import { RegexRefresh } from './regex-refresh.ts'

/** Who serves the members of consumer groups: those of their own protocol, and those of the classic one. */
export interface ConsumerGroups {
  readonly consumer: ConsumerMembership
  readonly mixed: ClassicMembersOfConsumerGroups
}

export function makeConsumerGroups(dependencies: Omit<GroupServices, 'timers'>): ConsumerGroups {
  const services: GroupServices = { ...dependencies, timers: new MemberTimers(dependencies.deadlines) }
  const steps = new GroupSteps(services, new RegexRefresh(services))
  const conversion = new Conversion(services, (groupId, memberId, timeoutMs, now) =>
    consumer.extendSession(groupId, memberId, timeoutMs, now),
  )
  const consumer = new ConsumerMembership(services, steps, conversion)
  return { consumer, mixed: new ClassicMembersOfConsumerGroups(services, steps, conversion, consumer) }
}
