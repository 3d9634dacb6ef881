/** "Not asked for": the schema's default. */
export const OPERATIONS_OMITTED = -2147483648

const bits = (...codes: number[]): number => codes.reduce((sum, code) => sum | (1 << code), 0)

/** AclOperation codes that apply to each resource (AclEntry.supportedOperations). Nothing is forbidden: there is no authorizer yet. */
export const TOPIC_OPERATIONS: number = bits(3, 4, 5, 6, 7, 8, 10, 11)
export const GROUP_OPERATIONS: number = bits(3, 6, 8, 10, 11)
export const CLUSTER_OPERATIONS: number = bits(5, 7, 8, 9, 10, 11, 12)
