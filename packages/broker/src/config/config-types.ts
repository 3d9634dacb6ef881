/** DescribeConfigsResponse.ConfigType. */
export const ConfigType: {
  readonly BOOLEAN: 1
  readonly STRING: 2
  readonly INT: 3
  readonly LONG: 5
  readonly DOUBLE: 6
  readonly LIST: 7
} = { BOOLEAN: 1, STRING: 2, INT: 3, LONG: 5, DOUBLE: 6, LIST: 7 }
export type ConfigType = (typeof ConfigType)[keyof typeof ConfigType]

/** DescribeConfigsResponse.ConfigSource. */
export const ConfigSource: {
  readonly TOPIC_CONFIG: 1
  readonly STATIC_BROKER_CONFIG: 4
  readonly DEFAULT_CONFIG: 5
  readonly GROUP_CONFIG: 8
} = { TOPIC_CONFIG: 1, STATIC_BROKER_CONFIG: 4, DEFAULT_CONFIG: 5, GROUP_CONFIG: 8 }
export type ConfigSource = (typeof ConfigSource)[keyof typeof ConfigSource]

/** Which values a configuration takes. `check` returns what is wrong with a value, or null. */
export interface ConfigDefinition {
  /** Kafka's name. */
  readonly name: string
  readonly type: ConfigType
  /** As text, the way Kafka shows it. */
  readonly defaultValue: string
  /** What is allowed, in words: part of the error message and of DescribeConfigs' documentation. */
  readonly allowed: string
  check(value: string): string | null
}

/** A whole number within bounds. INT is 32 bits, LONG 64; LONG values past 2^53 count as 2^53 - 1 ("for ever" either way). */
export function whole(name: string, type: 3 | 5, defaultValue: string, min: number, max?: number): ConfigDefinition {
  const top = max ?? (type === ConfigType.INT ? 2 ** 31 - 1 : Number.POSITIVE_INFINITY)
  const limit = type === ConfigType.INT || max !== undefined ? `..${top}` : ' or more'
  const allowed = `a whole number, ${min}${limit}`
  return { name, type, defaultValue, allowed, check: (value) => (isWhole(value, min, top) ? null : allowed) }
}

/** A setting whose other values this broker does not honour: only the default is accepted. */
export function only(name: string, type: ConfigType, value: string): ConfigDefinition {
  const allowed = `${JSON.stringify(value)}: other values are not supported by this broker`
  return { name, type, defaultValue: value, allowed, check: (given) => (given.trim() === value ? null : allowed) }
}

export function oneOf(name: string, type: ConfigType, values: readonly string[], defaultValue: string): ConfigDefinition {
  const allowed = `one of ${values.join(', ')}`
  return { name, type, defaultValue, allowed, check: (given) => (values.includes(given.trim()) ? null : allowed) }
}

/** Some of these names, each at most once and at least one, parted by commas. */
export function listOf(name: string, values: readonly string[], defaultValue: string): ConfigDefinition {
  const allowed = `one or more of ${values.join(', ')}, parted by commas`
  const check = (given: string): string | null => {
    const items = listItems(given)
    const isRight = new Set(items).size === items.length && items.every((item) => values.includes(item))
    return isRight ? null : allowed
  }
  return { name, type: ConfigType.LIST, defaultValue, allowed, check }
}

export function listItems(value: string): string[] {
  return value.split(',').map((item) => item.trim())
}

/** The value of a number that `whole` accepted, within what JavaScript counts exactly. */
export function toNumber(value: string): number {
  const number = BigInt(value.trim())
  const most = BigInt(Number.MAX_SAFE_INTEGER)
  return Number(number > most ? most : number)
}

function isWhole(value: string, min: number, max: number): boolean {
  if (!/^\s*[-+]?\d{1,19}\s*$/.test(value)) return false
  const number = BigInt(value.trim())
  if (number > 2n ** 63n - 1n) return false
  return number >= BigInt(min) && (max === Number.POSITIVE_INFINITY || number <= BigInt(max))
}
