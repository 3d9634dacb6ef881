/** Resolves in the next turn of the event loop, after what sockets and timers have waiting. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
