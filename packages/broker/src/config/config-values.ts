import { ConfigSource, type ConfigDefinition } from './config-types.ts'

export type Values = ReadonlyMap<string, string>

/** A configuration of a resource, whose default is a setting of the broker. */
export interface OverriddenDefinition extends ConfigDefinition {
  /** The broker setting that gives the default, or its own name where there is none. */
  readonly brokerSynonym: string
}

/** A configuration value with where it came from. */
export interface ConfigValue {
  readonly name: string
  readonly value: string
  readonly source: ConfigSource
}

/** All values that decide, the one in force first: the resource's own, the broker's, the default. */
export function decidingValues(
  definition: OverriddenDefinition,
  overrides: Values,
  ownSource: ConfigSource,
  broker: Values,
): ConfigValue[] {
  const { name, brokerSynonym, defaultValue } = definition
  const values: ConfigValue[] = []
  const own = overrides.get(name)
  if (own !== undefined) values.push({ name, value: own, source: ownSource })
  const given = broker.get(brokerSynonym)
  if (given !== undefined) values.push({ name: brokerSynonym, value: given, source: ConfigSource.STATIC_BROKER_CONFIG })
  values.push({ name: brokerSynonym, value: defaultValue, source: ConfigSource.DEFAULT_CONFIG })
  return values
}

/** What is wrong with a value, or null. */
export function wrongValue(definition: ConfigDefinition, value: string): string | null {
  const wrong = definition.check(value)
  return wrong === null ? null : `Invalid value ${value} for configuration ${definition.name}: expected ${wrong}`
}
