import { SEQUENCE_MODULUS } from './limits.ts'

/** The sequence `count` records after `sequence`; it wraps to zero past 2^31 - 1. */
export function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count) % SEQUENCE_MODULUS
}
