/** Resolves in the next turn of the real event loop: every promise and `nextTick` that is ready now has run by then. */
export function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
