export type AnomalyKind =
  // of the log
  | 'lost-write'
  | 'unseen'
  | 'duplicate'
  | 'inconsistent-offsets'
  | 'never-sent'
  | 'nonmonotonic-send'
  // of who has what
  | 'two-owners'
  | 'two-owners-in-generation'
  | 'overlap'
  | 'not-assigned'
  // of order
  | 'unowned-poll'
  | 'nonmonotonic-poll'
  | 'poll-skip'
  | 'not-one-by-one'
  // of commits
  | 'commit-back'
  | 'commit-skip'
  | 'commit-lost'

export interface Anomaly {
  readonly kind: AnomalyKind
  readonly message: string
}

export function getOr<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const present = map.get(key)
  if (present !== undefined) return present
  const made = make()
  map.set(key, made)
  return made
}
