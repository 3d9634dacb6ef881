/* What LZ4's block format has (lz4_Block_format.md). */

export const MIN_MATCH: usize = 4
/** A length of so many, or more, goes on after the token. */
export const MORE: usize = 15
/** The last 5 bytes of a block are literals, and the last match begins 12 bytes before its end at the latest. */
export const LAST_LITERALS: usize = 5
export const MATCH_START_LIMIT: usize = 12
export const MAX_DISTANCE: usize = 0xffff
