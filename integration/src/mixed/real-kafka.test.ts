import { realKafka } from '../providers/real-kafka.ts'
import { describeMixedGroups } from './mixed-groups.ts'

await describeMixedGroups(realKafka)
