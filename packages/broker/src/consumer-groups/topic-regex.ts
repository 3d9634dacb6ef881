import { ErrorCode } from '@millrace/protocol'
import { messageOf } from '@millrace/protocol/internal'
import { RE2JS } from 're2js'
import { TOPIC_REGEX_LENGTH_MAX } from '../limits.ts'
import { GroupError } from './group-error.ts'

/**
 * A member's regular expression in RE2's syntax, as Kafka's brokers take it (KIP-848): no backreferences and no lookaround, and
 * in return no expression that takes more than linear time. It must match the whole name of a topic.
 * Throws GroupError INVALID_REGULAR_EXPRESSION.
 */
export function compileTopicRegex(regex: string): (topic: string) => boolean {
  if (regex.length > TOPIC_REGEX_LENGTH_MAX) throw invalid(regex, `it is longer than ${TOPIC_REGEX_LENGTH_MAX} characters`)
  try {
    const compiled = RE2JS.compile(regex)
    return (topic) => compiled.testExact(topic)
  } catch (error) {
    throw invalid(regex, messageOf(error))
  }
}

function invalid(regex: string, reason: string): GroupError {
  const shown = regex.length > TOPIC_REGEX_LENGTH_MAX ? `${regex.slice(0, TOPIC_REGEX_LENGTH_MAX)}…` : regex
  const message = `SubscribedTopicRegex \`${shown}\` is not a valid regular expression: ${reason}.`
  return new GroupError(ErrorCode.INVALID_REGULAR_EXPRESSION, message)
}
