import type { Direction, PlannedCut, Traffic } from '@millrace/testkit'

/** Every place at which one of the connections can be cut, before its first byte and after its last included. */
export function placesIn({ traffic }: { readonly traffic: readonly Readonly<Traffic>[] }): PlannedCut[] {
  const places: PlannedCut[] = []
  for (const [connection, carried] of traffic.entries()) {
    for (const direction of ['toServer', 'toClient'] satisfies Direction[])
      for (let bytes = 0; bytes <= carried[direction]; bytes++) places.push({ connection, direction, bytes })
  }
  return places
}
