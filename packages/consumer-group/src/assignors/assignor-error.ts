import { KafkaError } from '@millrace/protocol'

/**
 * An assignor threw (`cause` is what), or what it assigned is not sound; the message tells. The consumer that led the group with it left the
 * group, so that another member may lead, and nobody got anything of this assignment.
 */
export class AssignorError extends KafkaError {
  override readonly name: string = 'AssignorError'
  readonly assignor: string

  constructor(groupId: string, assignor: string, what: string, cause?: unknown) {
    super('ASSIGNOR_FAILED', `group ${groupId}: assignor ${assignor} ${what}`, { cause })
    this.assignor = assignor
  }
}
