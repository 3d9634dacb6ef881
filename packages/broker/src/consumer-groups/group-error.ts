/** A request that a group refuses; thrown from within, and shaped into the reply by the handler. */
export class GroupError extends Error {
  override readonly name: string = 'GroupError'
  readonly errorCode: number

  constructor(errorCode: number, message: string) {
    super(message)
    this.errorCode = errorCode
  }
}
