import { brokerProcess } from '../providers/broker-process.ts'
import { describeMixedGroups } from './mixed-groups.ts'

await describeMixedGroups(brokerProcess)
