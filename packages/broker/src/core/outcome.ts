/** A refusal as it goes on the wire. */
export interface Refusal {
  readonly errorCode: number
  readonly errorMessage: string
}

export function refusal(errorCode: number, errorMessage: string): Refusal {
  return { errorCode, errorMessage }
}

export function isRefusal(value: object): value is Refusal {
  return 'errorCode' in value
}
